/** A secret that opens only while PCR 16 has its present value. Run: node --import tsx seal.ts device:/dev/tpmrm0 */
import { createHash, randomBytes } from 'node:crypto';
import {
  connect, Create, CreatePrimary, Load, PCR_Extend, PCR_Read, PCR_Reset, policyPcrDigest, PolicyPCR, RH, sealedTemplate, selectPcrs, templates, TpmError, Unseal,
} from '@ari-sidecar/tpm2';

const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0');
const none = Buffer.alloc(0);
const pcrs = selectPcrs('sha256', [16]);
await tpm.run(PCR_Reset, { pcrHandle: 16 }, {});

const { pcrValues } = await tpm.run(PCR_Read, {}, { pcrSelectionIn: pcrs });
const policy = policyPcrDigest(pcrs, createHash('sha256').update(Buffer.concat(pcrValues)).digest());

const root = tpm.run(CreatePrimary, { primaryHandle: RH.OWNER }, {
  inSensitive: { userAuth: none, data: none }, inPublic: templates.srkP256, outsideInfo: none, creationPCR: [],
});
await tpm.withObject(root, async (srk) => {
  const sealed = await tpm.run(Create, { parentHandle: srk.objectHandle }, {
    inSensitive: { userAuth: none, data: Buffer.from('only in this state') }, inPublic: sealedTemplate(policy), outsideInfo: none, creationPCR: [],
  });
  // sealed.outPrivate and sealed.outPublic are what you store; they are of no use to another TPM.
  const loaded = tpm.run(Load, { parentHandle: srk.objectHandle }, { inPrivate: sealed.outPrivate, inPublic: sealed.outPublic });
  await tpm.withObject(loaded, async ({ objectHandle }) => {
    const unseal = () => tpm.withSession({ type: 'policy' }, async (session) => {
      await tpm.run(PolicyPCR, { policySession: session.handle }, { pcrDigest: none, pcrs });
      return await tpm.run(Unseal, { itemHandle: { handle: objectHandle, auth: session } }, {});
    });
    console.log((await unseal()).outData.toString());
    await tpm.run(PCR_Extend, { pcrHandle: 16 }, { digests: [{ hashAlg: 'sha256', digest: randomBytes(32) }] });
    await unseal().catch((error: unknown) => console.log(error instanceof TpmError ? error.name : error));
  });
});
await tpm.close();
