/**
 * Nonces: 32 bytes = expiry (4, seconds) || random (12) || HMAC-SHA-256(key, subject || expiry || random) (first 16). They are issued without a write and
 * checked without a read; that each is used once is decided by the store, when it is consumed. All processes of one verifier share the key.
 *
 * `subject` is whom a nonce was given to: the device for payments, the attestation key for platforms, whose device is not known before it enrolled.
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
    const expiresMs = this.expiryOf(nonce, subject);
    if (expiresMs === null) return { ok: false, code: 'nonce.unknown' };
    return nowMs < expiresMs ? { ok: true, expiresMs } : { ok: false, code: 'nonce.expired' };
  }

  /** Whether this verifier ever gave the nonce to the subject: a log may begin long before it is shown. */
  wasIssued(nonce: string, subject: string): boolean {
    return this.expiryOf(nonce, subject) !== null;
  }

  private expiryOf(nonce: string, subject: string): number | null {
    const bytes = fromB64u(nonce);
    if (bytes?.length !== EXPIRY + RANDOM + MAC) return null;
    const head = bytes.subarray(0, EXPIRY + RANDOM);
    return equal(bytes.subarray(EXPIRY + RANDOM), this.mac(subject, head)) ? head.readUInt32BE() * 1000 : null;
  }

  private mac(subject: string, head: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(subject).update(head).digest().subarray(0, MAC);
  }
}
