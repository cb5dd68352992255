/**
 * Nonces: 32 bytes = expiry (4, seconds) || random (12) || HMAC-SHA-256(key, subject || expiry || random) (first 16). They are issued without a write and
 * checked without a read; that each is used once is decided by the store, when it is consumed. All processes of one verifier share the key.
 *
 * `subject` is whom a nonce was given to: the device for payments, the connection for the platform, which proves that its key is live on this connection.
 */
import { createHmac } from 'node:crypto';
import { equal, fromB64u, type Sha256, toB64u } from '../src/base/bytes.js';

const EXPIRY = 4;
const RANDOM = 12;
const MAC = 16;

export interface IssuedNonce { readonly nonce: Sha256; readonly expiresMs: number }
export type NonceCheck = { readonly ok: true; readonly expiresMs: number } | { readonly ok: false; readonly code: 'nonce.unknown' | 'nonce.expired' };

export class Nonces {
  private readonly key: Uint8Array;
  private readonly lifeS: number;
  private readonly random: (bytes: number) => Buffer;

  constructor(key: Uint8Array, lifeS: number, random: (bytes: number) => Buffer) {
    this.key = key;
    this.lifeS = lifeS;
    this.random = random;
  }

  issue(subject: string, nowMs: number): IssuedNonce {
    const expiryS = Math.floor(nowMs / 1000) + this.lifeS;
    const head = Buffer.alloc(EXPIRY + RANDOM);
    head.writeUInt32BE(expiryS);
    this.random(RANDOM).copy(head, EXPIRY);
    return { nonce: toB64u(Buffer.concat([head, this.mac(subject, head)])), expiresMs: expiryS * 1000 };
  }

  /** Whether this verifier gave the nonce to the subject and it still lives. Nothing is said about use. */
  check(nonce: string, subject: string, nowMs: number): NonceCheck {
    const bytes = fromB64u(nonce);
    if (bytes?.length !== EXPIRY + RANDOM + MAC) return { ok: false, code: 'nonce.unknown' };
    const head = bytes.subarray(0, EXPIRY + RANDOM);
    if (!equal(bytes.subarray(EXPIRY + RANDOM), this.mac(subject, head))) return { ok: false, code: 'nonce.unknown' };
    const expiresMs = head.readUInt32BE() * 1000;
    return nowMs < expiresMs ? { ok: true, expiresMs } : { ok: false, code: 'nonce.expired' };
  }

  private mac(subject: string, head: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(subject).update(head).digest().subarray(0, MAC);
  }
}
