import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import Libsql from 'libsql';
import { encode } from '../../src/base/shape.js';
import { CARRIER, carrierRules, type CarrierRules } from '../../src/objects/carrier.js';
import { DECISION } from '../../src/objects/decision.js';
import type { Intent } from '../../src/objects/intent.js';
import { open } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import type { Store } from '../../verifier/store/verbs.js';
import { verifyBundle } from '../../attest/bundle.js';
import { bundleText } from './support/bundle.js';
import { TestPayer } from './support/payer.js';
import { freshId } from './support/service.js';

let payer: TestPayer;
let store: Store;
let trust: Trust;
let device: string;
beforeAll(async () => {
  payer = await TestPayer.start();
  ({ device } = await payer.enrol());
  store = await payer.service.store();
  trust = await payer.service.trust();
});
afterAll(async () => {
  expect(await store.ledgerSum()).toBe(0n);
  await store.close();
  await payer.stop();
});

/** A carrier of its own with these rules, money in it and a mandate. */
async function carrierWith(rules: Partial<CarrierRules>, agents?: string[]): Promise<void> {
  payer.carrierId = freshId('crr');
  await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rules: rules as CarrierRules, ...(agents ? { agents } : {}) }) });
  await payer.service.post(`/v1/delegation/carriers/${payer.carrierId}/fund`, { event_id: freshId('evt'), amount: 100_000 });
  await payer.giveMandate();
}
const pay = async (changes: Partial<Intent> = {}): Promise<string | null> => {
  const message = await payer.attempt(payer.intent(changes));
  const { decision, code } = open(DECISION, (await payer.decision(message)).decision, trust.keys).value;
  if (decision === 'permit') await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
  return code;
};
const cny = (amount: bigint) => ({ amount: { amount, currency: 'CNY' } });
/** Time goes by for what a carrier has paid: its payments move into the past. */
const later = (ms: number): void => {
  const db = new Libsql(payer.service.config.store.path!);
  db.exec(`PRAGMA busy_timeout=5000; UPDATE reservations SET created_ms = created_ms - ${ms} WHERE carrier_id = '${payer.carrierId}'`);
  db.close();
};
const clock = (offsetH: number): string => new Date(Date.now() + offsetH * 3_600_000).toISOString().slice(11, 16);

describe('a carrier', () => {
  it('pays as much and as often in a window as its rules say, and again when the window has passed', async () => {
    await carrierWith({ windows: [{ period: 'PT1H', max: 15_000n, count: 3 }, { period: 'P1D', max: 100_000n, count: 4 }] });
    expect(await pay(cny(9_000n))).toBeNull();
    expect(await pay(cny(6_001n)), 'amount').toBe('carrier.window');
    expect(await pay(cny(5_000n))).toBeNull();
    expect(await pay(cny(500n))).toBeNull();
    expect(await pay(cny(500n)), 'count').toBe('carrier.window');
    later(3_600_001);
    expect(await pay(cny(15_000n))).toBeNull();
    later(3_600_001);
    expect(await pay(cny(1n)), 'the day').toBe('carrier.window');
    later(86_400_000);
    expect(await pay(cny(1n))).toBeNull();
  });

  it('holds its windows also against payments that race', async () => {
    await carrierWith({ windows: [{ period: 'P1D', max: 20_000n, count: 9 }] });
    const messages = await payer.attempts(Array.from({ length: 6 }, () => payer.intent(cny(9_000n))));
    for (const message of messages) payer.link.send('payment', message);
    const told = await Promise.all(messages.map(({ paymentId }) => payer.link.next('decision', (body) => body.paymentId === paymentId)));
    expect(told.filter(({ state }) => state === 'permitted' || state === 'settled')).toHaveLength(2);
    for (const { paymentId } of told.filter(({ decision }) => open(DECISION, decision, trust.keys).value.decision === 'permit')) await payer.link.next('execution', (body) => body.paymentId === paymentId);
  });

  it('pays within its hours, in their time zone', async () => {
    await carrierWith({ hours: { tz: 'UTC', from: clock(-1), to: clock(1) } });
    expect(await pay()).toBeNull();
    await carrierWith({ hours: { tz: 'UTC', from: clock(1), to: clock(2) } });
    expect(await pay()).toBe('carrier.hours');
    await carrierWith({ hours: { tz: 'Asia/Shanghai', from: clock(7), to: clock(9) } });
    expect(await pay()).toBeNull();
    await carrierWith({ hours: { tz: 'Asia/Nowhere', from: '00:00', to: '24:00' } });
    expect(await pay(), 'a zone that nobody knows').toBe('carrier.hours');
  });

  it('pays for the agents it names', async () => {
    await carrierWith({}, ['example.other']);
    expect(await pay()).toBe('carrier.agent');
  });

  it('gives money back to the main account, from which the next allocation comes first', async () => {
    await carrierWith({});
    const move = (what: 'fund' | 'return', amount: number, event = freshId('evt')) => payer.service.call('POST', `/v1/delegation/carriers/${payer.carrierId}/${what}`, { body: { event_id: event, amount } });
    const outside = () => {
      const db = new Libsql(payer.service.config.store.path!);
      const row = db.prepare(`SELECT balance FROM accounts WHERE account_id = 'external:CNY'`).get() as { balance: number };
      db.close();
      return row.balance;
    };
    const before = outside();
    expect((await move('return', 40_000)).body).toMatchObject({ available: 60_000 });
    expect((await move('return', 60_001)).body.code).toBe('carrier.funds');
    expect((await move('fund', 30_000)).body).toMatchObject({ available: 90_000 });
    expect(outside(), 'it came from the main account').toBe(before);
    expect((await move('fund', 20_000)).body).toMatchObject({ available: 110_000 });
    expect(outside(), 'what the main account lacked').toBe(before - 10_000);
    expect((await move('return', 0)).body.code).toBe('intake.malformed');
  });
});

describe('new rules', () => {
  beforeEach(() => carrierWith({}));
  const tighten = (changes: Partial<CarrierRules>, agents = ['example.shopper'], admin = true) =>
    payer.service.call('POST', `/v1/delegation/carriers/${payer.carrierId}/rules`, { body: { rules: encode(carrierRules, { ...payer.rules, ...changes }), agents }, admin });

  it('that are tighter need no word of the user: the mandates made for the rules before pay on, within the new ones', async () => {
    const answer = await tighten({ perPaymentMax: 6_000n });
    expect(open(CARRIER, answer.body.carrier, trust.keys).value).toMatchObject({ rev: 2, rules: { perPaymentMax: 6_000n } });
    expect((await tighten({ perPaymentMax: 5_000n })).status).toBe(201);
    expect(await pay(cny(5_000n))).toBeNull();
    expect(await pay(cny(5_001n))).toBe('carrier.per_payment');
  });

  it('that are tighter are proven offline, step by step, also when the answer is asked for again', async () => {
    await tighten({ perPaymentMax: 6_000n });
    await tighten({ perPaymentMax: 5_000n });
    const sent = await payer.attempt(payer.intent(cny(5_000n)));
    const told = await payer.decision(sent);
    expect(told.revisions).toHaveLength(2);
    expect(verifyBundle(bundleText(payer, device, sent, told), trust)).toMatchObject({ ok: true, verdict: { decision: 'permit' } });
    await tighten({ perPaymentMax: 4_000n });
    const again = await payer.link.ask('settle_query', { paymentId: sent.paymentId });
    expect(again.body).toMatchObject({ revisions: told.revisions, userKeys: told.userKeys });
  });

  it('that were looser in between end the mandates of before, however tight they are now', async () => {
    const revise = (rev: number, perPaymentMax: bigint) => payer.service.call('POST', '/v1/delegation/carriers', { body: { request: payer.carrierRequest({ rev, rules: { ...payer.rules, perPaymentMax } }) }, admin: false });
    expect([(await revise(2, 30_000n)).status, (await revise(3, 1_000n)).status]).toEqual([201, 201]);
    const sent = await payer.attempt(payer.intent(cny(100n)));
    const told = await payer.decision(sent);
    expect(open(DECISION, told.decision, trust.keys).value.code).toBe('carrier.rules');
    expect(verifyBundle(bundleText(payer, device, sent, told), trust)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'carrier.rules' } });
    await payer.giveMandate();
    expect(await pay(cny(100n))).toBeNull();
  });

  it.each<[string, Partial<CarrierRules>, string[]?]>([
    ['a higher limit', { perPaymentMax: 20_001n }], ['no step-up', { confirmAbove: 60_000n }], ['a longer life', { notAfter: 4_000_000_000 }], ['another agent', {}, ['example.shopper', 'example.other']],
    ['one rule tighter and one looser', { perPaymentMax: 1n, minTier: 'T0' }],
  ])('that are looser only the user makes: %s', async (_, changes, agents) => {
    expect((await tighten(changes, agents)).body.code).toBe('carrier.looser');
    expect((await store.carrier(payer.carrierId))!.rev).toBe(1);
  });

  it('that are looser hold once the user has signed them', async () => {
    expect((await payer.service.call('POST', '/v1/delegation/carriers', { body: { request: payer.carrierRequest({ rev: 2, rules: { perPaymentMax: 30_000n } as CarrierRules }) }, admin: false })).status).toBe(201);
    await payer.giveMandate();
    expect(await pay(cny(25_000n))).toBeNull();
  });
});
