import { expect } from 'vitest';
import { verify, X509Certificate } from 'node:crypto';
import { Attest, type AttestOf, decode, encode, nameOf } from '@ari-sidecar/tpm2';
import { type PcrTable, type QuoteReport, inspectQuote, readPublic } from '../../attest/inspect/index.js';
import { type Vector, readJson, runVectors, skip, vectorsOf } from './run.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

interface Normalised {
  attest: string; signature: { format: string; hex: string }; ak: { tpmtPublic: string | null; spkiPem: string | null; certDer: string | null }; nonce: string | null; pcrs: PcrTable | null;
  mutations: { field: string; op: string; offset?: number; mask?: number; expect: string }[];
}
interface Expected { is?: string; type?: string; extraData?: string; overall?: string; clock?: number; resetCount?: number; restartCount?: number; qualifiedSigner?: string; pcrDigest?: string }

const akOf = ({ tpmtPublic, spkiPem, certDer }: Normalised['ak']): Buffer | undefined => (tpmtPublic !== null ? hex(tpmtPublic) : certDer !== null ? hex(certDer) : spkiPem !== null ? Buffer.from(spkiPem) : undefined);
const report = ({ attest, signature, ak, nonce, pcrs }: Normalised): QuoteReport =>
  inspectQuote({ quote: hex(attest), signature: hex(signature.hex), ak: akOf(ak), nonce: nonce === null ? undefined : hex(nonce), pcrs: pcrs === null ? undefined : pcrs });

function check({ file, expected }: Vector<Expected>): void {
  if (expected.is !== undefined) return skip(`another form of a quote that is run: ${expected.is}`);
  const quote = readJson<Normalised>(file);
  const { ok, code, attest } = report(quote);
  expect(attest).toMatchObject({ type: expected.type, extraData: expected.extraData, clock: String(expected.clock), resetCount: expected.resetCount, restartCount: expected.restartCount, qualifiedSigner: expected.qualifiedSigner });
  if (expected.type !== 'quote') return expect({ ok, code }).toEqual({ ok: false, code: 'quote.type' });
  expect({ ok, code }).toEqual({ ok: true, code: null });
  for (const mutation of akOf(quote.ak) === undefined ? [] : quote.mutations) {
    const changed = mutated(quote, mutation);
    if (changed !== null) expect(report(changed).ok, JSON.stringify(mutation)).toBe(false);
  }
}

const altered = (text: string, offset: number, mask: number): string => {
  const bytes = text === '' ? Buffer.alloc(1) : hex(text);
  bytes[offset]! ^= mask;
  return bytes.toString('hex');
};

/** The quote with one thing changed, as its source says: `xor` at an offset, or anything else at the first byte. */
function mutated(quote: Normalised, { field, offset = 0, mask = 1 }: Normalised['mutations'][number]): Normalised | null {
  if (field === 'signature') return { ...quote, signature: { ...quote.signature, hex: altered(quote.signature.hex, offset, mask) } };
  if (field === 'nonce') return quote.nonce === null ? null : { ...quote, nonce: altered(quote.nonce, offset, mask) };
  if (field === 'attest') return { ...quote, attest: altered(quote.attest, offset, mask) };
  if (field.startsWith('expected') || quote.pcrs === null) return null;
  const bank = Object.keys(quote.pcrs)[0]!;
  const pcr = field.split('.')[2] ?? Object.keys(quote.pcrs[bank]!)[0]!;
  return { ...quote, pcrs: { ...quote.pcrs, [bank]: { ...quote.pcrs[bank], [pcr]: altered(quote.pcrs[bank]![pcr]!, offset, mask) } } };
}

const SHA1 = 'NIST SP 800-131A Rev. 2 section 3: SHA-1 is disallowed for digital signatures; accepted by the source for a TPM of 2019';
runVectors('tpm-quote', vectorsOf('tpm-quote'), check, { 'q-goattest-windows-gcp': SHA1 });

/* Attestations of other keys by an AK, as WebAuthn carries them. */

interface Certify { certInfo: string; pubArea: string; sig: string; x5c: string[]; alg: number }
interface CertifyExpected { attestedNameMatchesPubArea: boolean; signatureValid: boolean }
function certify({ file, expected }: Vector<CertifyExpected>): void {
  const { certInfo, pubArea, sig, x5c, alg } = readJson<Certify>(file);
  const attest = decode(Attest, hex(certInfo)) as AttestOf<'certify'>;
  expect(encode(Attest, attest).toString('hex')).toBe(certInfo);
  expect(attest.type).toBe('certify');
  const area = readPublic(hex(pubArea));
  expect(nameOf(area).equals(attest.attested.name)).toBe(expected.attestedNameMatchesPubArea);
  expect(verify(COSE[alg]!, hex(certInfo), new X509Certificate(hex(x5c[0]!)).publicKey, hex(sig))).toBe(expected.signatureValid);
}

/** COSE algorithm to the hash of its signature. */
const COSE: Record<number, string> = { [-7]: 'sha256', [-257]: 'sha256', [-259]: 'sha512', [-65535]: 'sha1' };
const TRAILING = 'TPM 2.0 Part 2 section 12.2.4: TPMT_PUBLIC ends with `unique`; these bytes go on behind it';
const YES_NO = 'TPM 2.0 Part 2 section 9.2: TPMI_YES_NO is 0 or 1; this made-up structure has 0x33';
runVectors('tpm-certify', vectorsOf('tpm-certify'), certify, {
  'wa-java-webauthn-server-14': YES_NO, 'wa-java-webauthn-server-16': TRAILING, 'wa-java-webauthn-server-18': YES_NO, 'wa-java-webauthn-server-20': TRAILING,
});
