import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fromB64u, toB64u } from '../../src/base/bytes.js';
import { Nonces } from '../../verifier/nonces.js';

const NOW = 1_795_000_000_000;
const KEY = Buffer.alloc(32, 1);
const nonces = new Nonces(KEY, 60, randomBytes);
const flip = (nonce: string, at: number): string => {
  const bytes = fromB64u(nonce)!;
  bytes[at]! ^= 1;
  return toB64u(bytes);
};

describe('a nonce', () => {
  it('has 32 bytes and lives as long as it says', () => {
    const { nonce, expiresMs } = nonces.issue('dev_1', NOW);
    expect(fromB64u(nonce)).toHaveLength(32);
    expect(expiresMs).toBe(NOW + 60_000);
    expect(nonces.check(nonce, 'dev_1', NOW)).toEqual({ ok: true, expiresMs });
    expect(nonces.check(nonce, 'dev_1', expiresMs - 1).ok).toBe(true);
    expect(nonces.check(nonce, 'dev_1', expiresMs)).toEqual({ ok: false, code: 'nonce.expired' });
  });

  it('is good for the one it was given to and for nobody else', () => {
    const { nonce } = nonces.issue('dev_1', NOW);
    expect(nonces.check(nonce, 'dev_2', NOW)).toEqual({ ok: false, code: 'nonce.unknown' });
  });

  it('cannot be made without the key, prolonged, or changed in any byte', () => {
    const { nonce } = nonces.issue('dev_1', NOW);
    expect(new Nonces(Buffer.alloc(32, 2), 60, randomBytes).check(nonce, 'dev_1', NOW)).toEqual({ ok: false, code: 'nonce.unknown' });
    for (let at = 0; at < 32; at++) expect(nonces.check(flip(nonce, at), 'dev_1', NOW)).toEqual({ ok: false, code: 'nonce.unknown' });
  });

  it('has one spelling and one length', () => {
    const { nonce } = nonces.issue('dev_1', NOW);
    for (const text of [`${nonce}=`, nonce.slice(0, -1), `${nonce}AA`, '', `${nonce} `]) expect(nonces.check(text, 'dev_1', NOW)).toEqual({ ok: false, code: 'nonce.unknown' });
  });

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, () => nonces.issue('dev_1', NOW).nonce)).size).toBe(1000);
  });

  it('is remembered as issued after its life, for logs that began with it', () => {
    const { nonce } = nonces.issue('ak', NOW);
    expect([nonces.wasIssued(nonce, 'ak'), nonces.wasIssued(nonce, 'other'), nonces.wasIssued(toB64u(randomBytes(32)), 'ak')]).toEqual([true, false, false]);
  });
});
