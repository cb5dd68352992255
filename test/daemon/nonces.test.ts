import { describe, expect, it } from 'vitest';
import { NoncePool } from '../../daemon/link/nonces.js';

const fresh = (nonce: string, lifeMs = 60_000) => ({ purpose: 'platform' as const, nonces: [{ nonce, expiresMs: Date.now() + lifeMs }] });

describe('the nonces that the verifier pushed ahead', () => {
  it('are handed out once each, oldest first, and a stale one never', async () => {
    const pool = new NoncePool();
    for (const one of [fresh('stale', 1000), fresh('a'), fresh('b')]) pool.add(one);
    expect([await pool.next('platform', 10), await pool.next('platform', 10), await pool.next('platform', 10)]).toEqual(['a', 'b', null]);
    expect(await pool.next('payment', 10)).toBeNull();
  });

  it('are waited for, in the order in which they were asked for', async () => {
    const pool = new NoncePool();
    const waiting = [pool.next('platform', 1000), pool.next('platform', 1000)];
    for (const name of ['a', 'b']) pool.add(fresh(name));
    expect(await Promise.all(waiting)).toEqual(['a', 'b']);
  });

  it('of the next connection go to those who wait on it: who waited on the one before is told that there is none', async () => {
    const pool = new NoncePool();
    const before = pool.next('platform', 10_000);
    pool.clear();
    const now = pool.next('platform', 1000);
    pool.add(fresh('new'));
    expect(await Promise.all([before, now])).toEqual([null, 'new']);
  });
});
