/**
 * Bytes, digests and their one text form.
 *
 * Binary travels as base64url without padding, canonical (RFC 4648 section 5; the unused bits of the last character are zero).
 * A second spelling of the same bytes would be a second token with the same meaning, so it is refused, never repaired.
 */
import { createHash, hash, timingSafeEqual } from 'node:crypto';

/** SHA-256 as base64url (43 characters): the form of every `*_sha256` member. */
export type Sha256 = string;

const B64U = /^[A-Za-z0-9_-]*$/;
/** What may end a text whose length has this rest modulo 4: the bits of its last character beyond whole bytes are zero. */
const LAST: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' };

export const toB64u = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');

/** Whether a text is the one spelling of its bytes. */
export function isB64u(text: string): boolean {
  const rest = text.length % 4;
  return B64U.test(text) && (rest === 0 || (LAST[rest] ?? '').includes(text.slice(-1)));
}

/** Decodes canonical base64url; null when the text is anything else. */
export const fromB64u = (text: string): Buffer | null => (isB64u(text) ? Buffer.from(text, 'base64url') : null);

/** SHA-256 over text (as UTF-8) or bytes, as base64url. */
export const sha256 = (data: string | Uint8Array): Sha256 => (typeof hash === 'function' ? hash('sha256', data, 'base64url') : createHash('sha256').update(data).digest('base64url'));

/** SHA-256 over the concatenation of parts, as bytes. */
export function digest(...parts: (string | Uint8Array)[]): Buffer {
  if (typeof hash === 'function') return hash('sha256', parts.length === 1 ? parts[0]! : Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))), 'buffer');
  const h = createHash('sha256');
  for (const part of parts) h.update(part);
  return h.digest();
}

/** Equality in constant time for equal lengths. */
export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
