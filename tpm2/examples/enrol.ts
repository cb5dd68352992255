/** Proof that an attestation key lives in the TPM that an EK certificate names. Run: node --import tsx enrol.ts device:/dev/tpmrm0 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { ActivateCredential, connect, Create, createEk, type EkKind, hmac, Load, makeCredential, nameOf, publicFromKey, readEkCertificate, templates, withEkSession } from '@ari-sidecar/tpm2';

const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0');
const none = Buffer.alloc(0);

// 1. Device: the certificate, and an attestation key under the EK with an auth value that only we know.
const kinds: EkKind[] = ['ekP256', 'ekRsa2048', 'ekP384'];
let certificate: Buffer | null = null;
let kind: EkKind = 'ekP256';
for (const next of kinds) if (certificate === null && (certificate = await readEkCertificate(tpm, next)) !== null) kind = next;
if (certificate === null) throw new Error('this TPM has no EK certificate');
const userAuth = randomBytes(32);

await tpm.withObject(createEk(tpm, kind), async (ek) => {
  const inSensitive = { userAuth, data: none };
  const created = await withEkSession(tpm, kind, (auth) =>
    tpm.run(Create, { parentHandle: { handle: ek.objectHandle, auth } }, { inSensitive, inPublic: templates.akP256, outsideInfo: none, creationPCR: [] }));
  const loading = withEkSession(tpm, kind, (auth) =>
    tpm.run(Load, { parentHandle: { handle: ek.objectHandle, auth } }, { inPrivate: created.outPrivate, inPublic: created.outPublic }));
  await tpm.withObject(loading, async ({ objectHandle, name }) => {
    // 2. Verifier: chain of the certificate (not shown), the EK from the certificate and the template, the Name computed. No TPM is needed.
    const { publicKey } = new X509Certificate(certificate);
    const akName = nameOf(created.outPublic);
    const secret = randomBytes(32);
    const credential = makeCredential({ ekPublic: publicFromKey(publicKey, templates[kind]), akName, secret });

    // 3. Device: only the TPM that holds both keys can answer.
    const activateHandle = { handle: objectHandle, name, auth: hmac(userAuth) };
    const { certInfo } = await withEkSession(tpm, kind, (auth) =>
      tpm.run(ActivateCredential, { activateHandle, keyHandle: { handle: ek.objectHandle, name: ek.name, auth } }, { credentialBlob: credential.credentialBlob, secret: credential.encryptedSecret }));
    console.log({ kind, enrolled: certInfo.equals(secret) });
  });
});
await tpm.close();
