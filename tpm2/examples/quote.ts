/** A signed statement of the PCRs, made by the TPM and checked without one. Run: node --import tsx quote.ts device:/dev/tpmrm0 */
import { randomBytes } from 'node:crypto';
import { Attest, connect, CreatePrimary, decode, nameOf, publicKeyOf, qualifiedName, Quote, RH, selectPcrs, templates, verifySignature } from '@ari-sidecar/tpm2';

const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0');
const none = Buffer.alloc(0);
const nonce = randomBytes(32);

// The device's part: a restricted signing key, a quote over our nonce.
const made = tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, {
  inSensitive: { userAuth: none, data: none }, inPublic: templates.akP256, outsideInfo: none, creationPCR: [],
});
const { quoted, signature, outPublic } = await tpm.withObject(made, async ({ objectHandle, outPublic }) => {
  const pcrs = selectPcrs('sha256', [0, 1, 2, 3, 7]);
  const answer = await tpm.run(Quote, { signHandle: objectHandle }, { qualifyingData: nonce, inScheme: { scheme: 'null' }, PCRselect: pcrs });
  return { ...answer, outPublic };
});
await tpm.close();

// The verifier's part, over the very bytes that were signed.
const genuine = verifySignature(publicKeyOf(outPublic), quoted, signature, { sigAlg: 'ecdsa', hash: 'sha256' });
const attest = decode(Attest, quoted);
const fresh = attest.type === 'quote' && attest.extraData.equals(nonce);
const signer = attest.qualifiedSigner.equals(qualifiedName(RH.ENDORSEMENT, nameOf(outPublic)));
console.log({ genuine, fresh, signer, clock: attest.clockInfo.clock, pcrDigest: attest.type === 'quote' ? attest.attested.pcrDigest.toString('hex') : null });
