/**
 * Checks as they were shipped elsewhere, each without what a CVE is named after. What gets past one of them is an attack that worked, not a broken file.
 */
import { createHash } from 'node:crypto';
import { Attest, type Public, Signature, decode, publicKeyOf, verifySignature } from '@ari-sidecar/tpm2';
import type { Attestation } from '../../../src/objects/evidence.js';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64url');

/** A signature by this key, over whatever it is. */
export const isSignedBy = (key: Public, { attest, signature }: Attestation): boolean =>
  verifySignature(publicKeyOf(key), bytesOf(attest), decode(Signature, bytesOf(signature)), { sigAlg: 'ecdsa', hash: 'sha256' });

/** tpm2_checkquote before 5.7: signature and nonce; neither magic nor type nor selection. */
export function isCheckedQuote(key: Public, attestation: Attestation, nonce: Uint8Array): boolean {
  const bytes = bytesOf(attestation.attest);
  const signer = 6 + 2 + bytes.readUInt16BE(6);
  const extraData = bytes.subarray(signer + 2, signer + 2 + bytes.readUInt16BE(signer));
  return isSignedBy(key, attestation) && extraData.equals(nonce);
}

/** The digest of the values shown, whichever PCRs the quote was of (CVE-2024-29039). */
export function isDigestOf({ attest }: Attestation, shown: Readonly<Record<string, string>>): boolean {
  const quote = decode(Attest, bytesOf(attest)) as Extract<Attest, { type: 'quote' }>;
  return createHash('sha256').update(Buffer.concat(Object.values(shown).map((value) => Buffer.from(value, 'hex')))).digest().equals(quote.attested.pcrDigest);
}

/** The digest of what the quote selected; values of other PCRs come along unchecked (CVE-2022-0317). */
export function isDigestOfSelected({ attest }: Attestation, shown: Readonly<Record<string, string>>): boolean {
  const { attested } = decode(Attest, bytesOf(attest)) as Extract<Attest, { type: 'quote' }>;
  const selected = attested.pcrSelect.flatMap(({ pcrs }) => pcrs);
  return createHash('sha256').update(Buffer.concat(selected.map((pcr) => Buffer.from(shown[pcr] ?? '', 'hex')))).digest().equals(attested.pcrDigest);
}
