/** The IMA measurement list in its two forms, binary_runtime_measurements and ascii_runtime_measurements. */
import { fault } from '../../src/base/fault.js';
import { type FieldName, type FieldValues } from './template.js';
import { readAscii } from './ascii.js';
import { readBinary } from './binary.js';

export interface ImaEntry {
  /** Its number in the whole list, not in the part that was sent. */
  readonly n: number;
  readonly pcr: number;
  /** Bytes of the list that it takes. */
  readonly size: number;
  readonly template: string;
  /** As the list says it; all zero for a violation: then 0xFF.. was extended, and no digest covers the rest of the entry. */
  readonly logged: Buffer;
  readonly violation: boolean;
  /** What the kernel hashes. */
  readonly data: Buffer;
  /** Null for an unknown template. */
  readonly fields: FieldValues | null;
}
/** What a reader of one form must find out. */
export type RawEntry = Omit<ImaEntry, 'n' | 'violation'>;
export type { FieldName };

export const IMA_LIMITS = { bytes: 67_108_864, entries: 500_000, name: 64, data: 1_048_576 };
/** Digest sizes that kernels have put in front of an entry: SHA-1 always, others in lists of one bank (ascii_runtime_measurements_sha256). */
export const DIGEST_SIZES = [20, 32, 48, 64] as const;

export type ImaFormat = 'ima-ascii' | 'ima-binary';

/**
 * The whole list, or none of it. What is left at the end of a binary list and is too short for the PCR of an entry is none.
 * @param from number of the first entry
 * @throws Fault ima.malformed with the byte or line, ima.too_large
 */
export function parseIma(format: ImaFormat, bytes: Uint8Array, from = 0): ImaEntry[] {
  if (bytes.length > IMA_LIMITS.bytes) throw fault('ima.too_large', { size: bytes.length, max: IMA_LIMITS.bytes });
  return numbered(format === 'ima-binary' ? readBinary(bytes) : readAscii(bytes), from);
}

/**
 * The whole entries at the beginning of a binary list that was cut anywhere. Where an entry is damaged and where it only goes on cannot be told apart
 * in a piece: the next one, which begins there, tells.
 * @throws Fault ima.malformed when not even the first is whole
 */
export const parsePiece = (bytes: Uint8Array, from: number): ImaEntry[] => numbered(readBinary(bytes, 'cut'), from);

const numbered = (raw: readonly RawEntry[], from: number): ImaEntry[] => raw.map((entry, i) => ({ n: from + i, violation: isZero(entry.logged), ...entry }));

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** A list in text begins with its PCR in decimal; a binary one with its PCR in 32 bits. */
export const formatOf = (bytes: Uint8Array): ImaFormat => (/^\s*\d{1,2} [0-9a-f]{40}/.test(Buffer.from(bytes.subarray(0, 128)).toString('latin1')) ? 'ima-ascii' : 'ima-binary');
