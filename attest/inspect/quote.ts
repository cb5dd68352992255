/** A quote and what may be known beside it: as many checks as the given files allow, in one verdict. */
import { createHash } from 'node:crypto';
import { type Attest, type AttestOf, HASH_SIZE, type HashAlg, Signature, type SignatureScheme, verifySignature } from '@ari-sidecar/tpm2';
import { equal } from '../../src/base/bytes.js';
import { Fault, type Finding, fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';
import type { Code } from '../../src/codes.js';
import { type InspectedKey, assertAttestationKey, ownScheme, readKey } from './key.js';
import { describeAttest, readAttestation, structure } from './structures.js';

/** PCR values by bank and number, lower-case hex. */
export type PcrTable = Readonly<Record<string, Readonly<Record<string, string>>>>;
export interface QuoteFiles { readonly quote: Buffer; readonly signature?: Buffer | undefined; readonly ak?: Buffer | undefined; readonly nonce?: Buffer | undefined; readonly pcrs?: PcrTable | undefined }
/** `code` and `what` name the first check that failed. `checked`: those that were made. `attest` is null for bytes that are no attestation. */
export interface QuoteReport { readonly ok: boolean; readonly code: Code | null; readonly what: string | null; readonly checked: readonly string[]; readonly attest: Json }

/** Never throws for what the files hold. */
export function inspectQuote(files: QuoteFiles): QuoteReport {
  const checked: string[] = [];
  let attest: Attest | null = null;
  try {
    const read = readAttestation(files.quote);
    attest = read.attest;
    for (const [name, check] of checksOf(files, read.bytes, read.attest)) {
      checked.push(name);
      check();
    }
    return { ok: true, code: null, what: null, checked, attest: describeAttest(attest) };
  } catch (error) {
    const { code, message } = refusalOf(error);
    return { ok: false, code, what: message, checked, attest: attest === null ? null : describeAttest(attest) };
  }
}

function refusalOf(error: unknown): Finding {
  if (error instanceof Fault && error.code !== 'bug.internal') return { code: error.code, message: error.message };
  throw error;
}

/** In the order that nothing is used before what vouches for it. */
function checksOf({ signature, ak, nonce, pcrs }: QuoteFiles, bytes: Buffer, attest: Attest): [name: string, check: () => void][] {
  const key = ak === undefined ? undefined : lazily(() => readKey(ak));
  return [
    ...(signature !== undefined && key !== undefined ? [['signature', () => assertSigned(bytes, signature, key())] as [string, () => void]] : []),
    ['type', () => assertQuote(attest)],
    ...(nonce === undefined ? [] : [['nonce', () => assertNonce(attest, nonce)] as [string, () => void]]),
    ...(pcrs === undefined ? [] : [['pcrs', () => assertValues(attest as AttestOf<'quote'>, pcrs)] as [string, () => void]]),
    ...(key === undefined ? [] : [['key', () => assertAttestationKey(key())] as [string, () => void]]),
  ];
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** SHA-1 signatures prove nothing any more (NIST SP 800-131A Rev. 2, section 3), whatever the key would take. */
const HASHES: readonly HashAlg[] = ['sha256', 'sha384', 'sha512'];

function assertSigned(bytes: Buffer, file: Buffer, key: InspectedKey): void {
  const signature = readSignature(file, key);
  if (!('hash' in signature)) throw fault('quote.scheme');
  const own = ownScheme(key);
  const scheme = { sigAlg: signature.sigAlg, hash: signature.hash } as SignatureScheme;
  if (!HASHES.includes(scheme.hash) || (own !== null && (own.sigAlg !== scheme.sigAlg || own.hash !== scheme.hash))) throw fault('quote.scheme');
  if (!verifySignature(key.key, bytes, signature, scheme)) throw fault('quote.signature', { kind: 'quote' });
}

/** TPMT_SIGNATURE, or the bare number of an RSA signature as `tpm2_quote -f plain` writes it. */
function readSignature(file: Buffer, { key }: InspectedKey): Signature {
  const isBare = key.asymmetricKeyType === 'rsa' && file.length * 8 === key.asymmetricKeyDetails?.modulusLength;
  return isBare ? { sigAlg: 'rsassa', hash: 'sha256', sig: file } : structure(Signature, file, 'signature');
}

function assertQuote(attest: Attest): asserts attest is AttestOf<'quote'> {
  if (attest.type !== 'quote') throw fault('quote.type', { seen: attest.type, wanted: 'quote' });
}

function assertNonce(attest: Attest, nonce: Buffer): void {
  if (!equal(attest.extraData, nonce)) throw fault('quote.nonce', { kind: 'quote' });
}

/** The given values are exactly those that were quoted: no bank and no PCR more or less, in the order of the quote. */
function assertValues({ attested: { pcrSelect, pcrDigest } }: AttestOf<'quote'>, table: PcrTable): void {
  const given = Object.entries(table).flatMap(([bank, values]) => Object.keys(values).map((pcr) => `${bank}:${Number(pcr)}`));
  const selected = pcrSelect.flatMap(({ hash, pcrs }) => pcrs.map((pcr) => `${hash}:${pcr}`));
  if (given.length !== selected.length || new Set(selected).size !== selected.length || selected.some((each) => !given.includes(each))) throw fault('quote.selection');
  const values = pcrSelect.flatMap(({ hash, pcrs }) => pcrs.map((pcr) => sizedValue(table[hash]![String(pcr)], hash)));
  const hash = digestHash(pcrDigest);
  if (hash === undefined || !equal(createHash(hash).update(Buffer.concat(values)).digest(), pcrDigest)) throw fault('quote.pcr_digest');
}

function sizedValue(text: string | undefined, bank: HashAlg): Buffer {
  const value = Buffer.from(text ?? '', 'hex');
  if (value.length !== HASH_SIZE[bank]) throw fault('quote.selection');
  return value;
}

/** `pcrDigest` uses the hash of the signature, whatever the bank (Part 3 section 18.4): its length names it. */
const digestHash = (pcrDigest: Buffer): HashAlg | undefined => (['sha1', ...HASHES] as const).find((hash) => HASH_SIZE[hash] === pcrDigest.length);
