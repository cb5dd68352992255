/** Identifiers: a prefix and a ULID, sortable by time. Time and randomness are arguments. */
import type { IdPrefix } from '../names.js';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID from integer milliseconds and 10 random bytes. */
export function ulid(nowMs: number, random: Uint8Array): string {
  let value = BigInt(nowMs);
  for (const byte of random.subarray(0, 10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < 26; i++, value >>= 5n) text = ALPHABET[Number(value & 31n)] + text;
  return text;
}

export const newId = (prefix: IdPrefix, nowMs: number, random: Uint8Array): string => `${prefix}_${ulid(nowMs, random)}`;
