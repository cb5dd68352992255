import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyKey } from '../../src/base/jws.js';
import { kidOf } from '../../verifier/keys.js';
import { pspRail } from '../../verifier/psp/rail.js';
import type { Rail, RailOrder } from '../../verifier/rail.js';
import { Psp } from '../support/psp/process.js';
import type { Trick } from '../support/psp/server.js';
import { SIGNERS } from '../support/keys.js';
import { freshId } from './support/service.js';

let dir: string;
let psp: Psp;
let rail: Rail;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-psp-'));
  psp = await Psp.prepare(dir);
  await psp.start(SIGNERS.settlement.jwk);
  rail = pspRail({ url: psp.url, issuer: 'https://verifier.example', signer: SIGNERS.settlement, provider: verifyKey(psp.jwk, kidOf('settlement', psp.jwk)), now: Date.now, deadlineMs: 1000 });
});
afterAll(async () => {
  await psp.kill();
  rmSync(dir, { recursive: true });
});

const order = (over: Partial<RailOrder> = {}): RailOrder => ({
  kind: 'payment', id: freshId('tok'), paymentId: freshId('pay'), amount: { amount: 9900n, currency: 'CNY' }, payee: { id: 'hotel', origin: null, name: null }, account: 'acct-1', ...over,
});
const moved = (id: string) => psp.book().filter((entry) => entry.id === id && entry.outcome === 'settled').length;

describe('a payment service provider', () => {
  it('moves the money once for an order, however often it is told', async () => {
    const one = order();
    expect(await rail.pay(one)).toEqual({ outcome: 'settled', reference: `psp-${one.id}` });
    expect(await rail.pay(one)).toEqual({ outcome: 'settled', reference: `psp-${one.id}` });
    expect(await rail.query(one)).toEqual({ outcome: 'settled', reference: `psp-${one.id}` });
    expect(moved(one.id)).toBe(1);
  });

  it('may decline', async () => {
    await psp.next('decline');
    expect(await rail.pay(order())).toEqual({ outcome: 'declined' });
  });

  it('that never heard of an order declines it, and from then on for ever: a payment that was asked about cannot arrive late', async () => {
    const one = order();
    expect(await rail.query(one)).toEqual({ outcome: 'declined' });
    expect(await rail.pay(one)).toEqual({ outcome: 'declined' });
    expect(moved(one.id)).toBe(0);
  });

  const silences: [Trick, string, number][] = [
    ['lose', 'loses its answer', 1], ['die_after', 'dies after the money moved', 1], ['die_before', 'dies before the money moved', 0],
    ['delay', 'takes longer than it may', 1], ['error', 'says that it is in trouble', 1],
  ];
  it.each(silences)('that does this: %s (%s): gives no answer; asked later, it says what happened', async (trick, _, settled) => {
    const one = order();
    await psp.next(trick, '1500');
    await expect(rail.pay(one)).rejects.toThrow();
    if (trick === 'delay') await new Promise((done) => setTimeout(done, 700));
    if (trick.startsWith('die')) await psp.died().then(() => psp.start(SIGNERS.settlement.jwk));
    expect(await rail.query(one)).toEqual(settled === 1 ? { outcome: 'settled', reference: `psp-${one.id}` } : { outcome: 'declined' });
    expect(moved(one.id)).toBe(settled);
  });

  it('that answers twice is heard once', async () => {
    const one = order();
    await psp.next('twice');
    expect(await rail.pay(one)).toEqual({ outcome: 'settled', reference: `psp-${one.id}` });
    expect(await rail.query(one)).toEqual({ outcome: 'settled', reference: `psp-${one.id}` });
    expect(moved(one.id)).toBe(1);
  });

  it.each<[Trick, string]>([
    ['garbage', 'is not signed'], ['forged', 'is signed with another key under its name'], ['stale', 'is its own answer to another order'], ['huge', 'never ends'], ['redirect', 'sends us elsewhere'],
  ])('is not believed when what comes in its name (%s) %s', async (trick) => {
    await rail.pay(order());
    await psp.next(trick);
    await expect(rail.pay(order())).rejects.toThrow();
  });

  it('takes no orders but those of the settlement role', async () => {
    const stranger = pspRail({ url: psp.url, issuer: 'https://verifier.example', signer: SIGNERS.carrier, provider: verifyKey(psp.jwk, kidOf('settlement', psp.jwk)), now: Date.now });
    const one = order();
    await expect(stranger.pay(one)).rejects.toThrow();
    expect(moved(one.id)).toBe(0);
  });

  it('takes no order past its life', async () => {
    const slow = pspRail({ url: psp.url, issuer: 'https://verifier.example', signer: SIGNERS.settlement, provider: verifyKey(psp.jwk, kidOf('settlement', psp.jwk)), now: () => Date.now() - 61_000 });
    await expect(slow.pay(order())).rejects.toThrow();
  });

  it('is not believed under a key that the configuration does not name', async () => {
    const other = pspRail({ url: psp.url, issuer: 'https://verifier.example', signer: SIGNERS.settlement, provider: verifyKey(SIGNERS.carrier.jwk, kidOf('settlement', psp.jwk)), now: Date.now });
    await expect(other.pay(order())).rejects.toThrow();
  });
});
