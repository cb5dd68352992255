/** What an adversary with a TPM makes: a quote's bytes with something changed, keys of the same TPM that are not the enrolled one, and their signatures. */
import { createHash } from 'node:crypto';
import { Attest, Create, Load, type Public, RH, Sign, Signature, createEk, decode, encode, objectAttributes, templates, withEkSession } from '@ari-sidecar/tpm2';
import { toB64u } from '../../../src/base/bytes.js';
import type { Attestation, PlatformEvidence } from '../../../src/objects/evidence.js';
import type { TestDevice } from '../../support/device.js';

export type QuoteAttest = Extract<Attest, { type: 'quote' }>;
export const quoteOf = (evidence: PlatformEvidence): QuoteAttest => decode(Attest, Buffer.from(evidence.quote.attest, 'base64url')) as QuoteAttest;
export const withQuote = (evidence: PlatformEvidence, attestation: Attestation): PlatformEvidence => ({ ...evidence, quote: { ...evidence.quote, ...attestation } });

/** The quote of a machine in perfect order: PCR values of the adversary's choice. */
export const dreamt = (evidence: PlatformEvidence, pcrs: Record<string, string>): { attest: Buffer; pcrs: Record<string, string> } => {
  const honest = quoteOf(evidence);
  const pcrDigest = createHash('sha256').update(Buffer.concat(Object.values(pcrs).map((value) => Buffer.from(value, 'hex')))).digest();
  return { attest: encode(Attest, { ...honest, attested: { ...honest.attested, pcrDigest } }), pcrs };
};

const NONE = Buffer.alloc(0);
/** A signing key beside the enrolled one, under the same EK, without the attribute that makes it one. */
export async function unrestrictedKey(device: TestDevice): Promise<{ area: Public; sign(attest: Buffer): Promise<Attestation> }> {
  const { tpm, ek } = device;
  const inPublic = { ...templates.akP256, objectAttributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'sign') };
  const made = await tpm.withObject(createEk(tpm, ek), async ({ objectHandle: handle, name }) => {
    const created = await withEkSession(tpm, ek, (auth) => tpm.run(Create, { parentHandle: { handle, name, auth } }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic, outsideInfo: NONE, creationPCR: [] }));
    const loaded = await withEkSession(tpm, ek, (auth) => tpm.run(Load, { parentHandle: { handle, name, auth } }, { inPrivate: created.outPrivate, inPublic: created.outPublic }));
    return { ...loaded, area: created.outPublic };
  });
  return {
    area: made.area,
    async sign(attest) {
      const digest = createHash('sha256').update(attest).digest();
      const { signature } = await tpm.run(Sign, { keyHandle: { handle: made.objectHandle, name: made.name } }, { digest, inScheme: { scheme: 'null' }, validation: { tag: 'hashcheck', hierarchy: RH.NULL, digest: NONE } });
      await tpm.flush(made.objectHandle);
      return { attest: toB64u(attest), signature: toB64u(encode(Signature, signature)) };
    },
  };
}
