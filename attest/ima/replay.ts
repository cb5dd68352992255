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

/** A value of the PCR, and how it is extended. */
export interface ImaHead { readonly how: Extension; readonly value: Buffer }
/** Where a list begins: nobody says beforehand how its kernel extends. */
export const imaStart = (bank: HashAlg): readonly ImaHead[] => EXTENSIONS.map((how) => ({ how, value: Buffer.alloc(HASH_SIZE[bank]) }));

/** The value one entry further. */
const next = ({ how, value }: ImaHead, entry: ImaEntry, bank: HashAlg): Buffer => (entry.pcr === IMA_PCR ? extended(bank, value, extensionOf(entry, bank, how)) : value);

/** After all of these entries. */
export const advanceHead = (head: ImaHead, entries: readonly ImaEntry[], bank: HashAlg): ImaHead => entries.reduce((at, entry) => ({ how: at.how, value: next(at, entry, bank) }), head);

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
}

/**
 * The prefix of the list that gives the quoted PCR: a list is read after the quote, so it is nearly always longer.
 * @param entries those that follow the heads
 * @returns null when no prefix does
 */
export function coverage(entries: readonly ImaEntry[], bank: HashAlg, heads: readonly ImaHead[], quoted: Uint8Array): Coverage | null {
  for (const head of heads) {
    const count = prefixOf(entries, bank, head, quoted);
    if (count !== null) return { covered: entries.slice(0, count), head: { how: head.how, value: Buffer.from(quoted) } };
  }
  return null;
}

/** How many entries it takes until the value is the wanted one; null when it never is. */
function prefixOf(entries: readonly ImaEntry[], bank: HashAlg, head: ImaHead, wanted: Uint8Array): number | null {
  let { value } = head;
  for (let count = 0; ; count++) {
    if (equal(value, wanted)) return count;
    const entry = entries[count];
    if (entry === undefined) return null;
    value = next({ how: head.how, value }, entry, bank);
  }
}

const LOGGED_BY: Readonly<Record<number, HashAlg>> = { 20: 'sha1', 32: 'sha256', 48: 'sha384', 64: 'sha512' };
/** Is the template hash that the list says that of the data? A replay in another bank does not cover it. */
export const isHonest = ({ violation, logged, data }: ImaEntry): boolean => violation || hashWith(LOGGED_BY[logged.length]!, data).equals(logged);
