/** What the entries of an IMA list make of their PCR, and how far a quote covers them. */
import { HASH_SIZE, type HashAlg } from '@ari-sidecar/tpm2';
import { equal } from '../../src/base/bytes.js';
import { extended, hashWith } from '../hashes.js';
import type { ImaEntry } from './list.js';

/** The PCR of IMA, CONFIG_IMA_MEASURE_PCR_IDX. */
export const IMA_PCR = 10;

/**
 * What the kernel extends into a bank: the hash of the template data by the bank's algorithm (`own`), or, before Linux 5.8 and where it could not allocate
 * that hash, the SHA-1 hash with zeros behind it (`padded`).
 */
export type Extension = 'own' | 'padded';
export const EXTENSIONS: readonly Extension[] = ['own', 'padded'];

/** Computed from the data, never taken from the list: whoever sends the list writes what it says. */
export function extensionOf(entry: ImaEntry, bank: HashAlg, how: Extension): Buffer {
  if (entry.violation) return Buffer.alloc(HASH_SIZE[bank], 0xff);
  if (how === 'own') return hashWith(bank, entry.data);
  return Buffer.concat([hashWith('sha1', entry.data), Buffer.alloc(Math.max(0, HASH_SIZE[bank] - HASH_SIZE.sha1))]);
}

/** Where a replay stands: after `n` entries of the list a PCR has this value. */
export interface ImaHead { readonly n: number; readonly value: Buffer }
export const imaStart = (bank: HashAlg): ImaHead => ({ n: 0, value: Buffer.alloc(HASH_SIZE[bank]) });

/** PCR values after all entries, by PCR. */
export function replayIma(entries: readonly ImaEntry[], bank: HashAlg, how: Extension): Map<number, Buffer> {
  const values = new Map<number, Buffer>();
  for (const entry of entries) values.set(entry.pcr, extended(bank, values.get(entry.pcr) ?? Buffer.alloc(HASH_SIZE[bank]), extensionOf(entry, bank, how)));
  return values;
}

export interface Coverage {
  /** The entries that the quote covers, the first of those given. The rest were measured after it, or made up: they are not attested. */
  readonly covered: readonly ImaEntry[];
  readonly head: ImaHead;
  readonly how: Extension;
}

/**
 * The prefix of the list that gives the quoted PCR: a list is read after the quote, so it is nearly always longer.
 * @param entries from `start.n` on
 * @returns null when no prefix does
 */
export function coverage(entries: readonly ImaEntry[], bank: HashAlg, start: ImaHead, quoted: Uint8Array): Coverage | null {
  for (const how of EXTENSIONS) {
    const count = prefixOf(entries, bank, how, start, (value) => equal(value, quoted));
    if (count !== null) return { covered: entries.slice(0, count), head: { n: start.n + count, value: Buffer.from(quoted) }, how };
  }
  return null;
}

/** How many entries it takes until the value is the wanted one; null when it never is. */
function prefixOf(entries: readonly ImaEntry[], bank: HashAlg, how: Extension, start: ImaHead, wanted: (value: Buffer) => boolean): number | null {
  let value = start.value;
  for (let count = 0; ; count++) {
    if (wanted(value)) return count;
    const entry = entries[count];
    if (entry === undefined) return null;
    if (entry.pcr === IMA_PCR) value = extended(bank, value, extensionOf(entry, bank, how));
  }
}

const LOGGED_BY: Readonly<Record<number, HashAlg>> = { 20: 'sha1', 32: 'sha256', 48: 'sha384', 64: 'sha512' };
/** Is the template hash that the list says that of the data? A replay in another bank does not cover it. */
export const isHonest = ({ violation, logged, data }: ImaEntry): boolean => violation || hashWith(LOGGED_BY[logged.length]!, data).equals(logged);
