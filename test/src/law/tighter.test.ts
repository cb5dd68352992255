import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjudicate, asKnown, looser, tighter } from '../../../src/law/index.js';
import { LEVELS, TIERS } from '../../../src/names.js';
import { type Carrier, type CarrierRules, rulesHash } from '../../../src/objects/carrier.js';
import { NOW, carrier, rules, state } from '../../support/examples.js';
import { type Changes, input } from './case.js';

const ruled = (changes: Partial<CarrierRules> = {}, agents = ['a', 'b'], currency = 'CNY') => ({ rules: { ...rules, ...changes }, agents, currency });
const day = (from: string, to: string, tz = 'UTC') => ({ tz, from, to });

describe('tighter rules', () => {
  it('may be the same rules, with another salt', () => {
    expect(looser(ruled({ salt: 'AAAAAAAAAAAAAAAAAAAAAA' }), ruled())).toEqual([]);
  });

  const PAYEE = { id: 'p', origin: null, scenario: 's' };
  /** Each rule: before, a tighter one, and a looser one. */
  const ROWS: [string, Partial<CarrierRules>, Partial<CarrierRules>, Partial<CarrierRules>][] = [
    ['perPaymentMax', { perPaymentMax: 10n }, { perPaymentMax: 9n }, { perPaymentMax: 11n }],
    ['totalMax', { totalMax: 10n }, { totalMax: 9n }, { totalMax: 11n }],
    ['windows', { windows: [{ period: 'P1D', max: 5n, count: 2 }] }, { windows: [{ period: 'P1D', max: 5n, count: 1 }, { period: 'PT1H', max: 9n, count: 9 }] }, { windows: [] }],
    ['windows', { windows: [{ period: 'P1D', max: 5n, count: 2 }] }, { windows: [{ period: 'P1D', max: 4n, count: 2 }] }, { windows: [{ period: 'P7D', max: 5n, count: 2 }] }],
    ['windows', { windows: [{ period: 'P1D', max: 5n, count: 2 }] }, { windows: [{ period: 'P1D', max: 4n, count: 2 }] }, { windows: [{ period: 'P1D', max: 4n, count: 3 }] }],
    ['scenarios', { scenarios: ['x', 'y'] }, { scenarios: ['y'] }, { scenarios: ['y', 'z'] }],
    ['payees', { payees: [PAYEE] }, { payees: [] }, { payees: [PAYEE, { ...PAYEE, id: 'q' }] }],
    ['payees', { payees: [PAYEE] }, { payees: [PAYEE] }, { payees: [{ ...PAYEE, origin: 'https://other.example' }] }],
    ['payees', { payees: [PAYEE, { ...PAYEE, scenario: 't' }] }, { payees: [PAYEE] }, { payees: [{ ...PAYEE, scenario: 't' }] }],
    ['notBefore', { notBefore: 10 }, { notBefore: 11 }, { notBefore: 9 }],
    ['notAfter', { notAfter: 10 }, { notAfter: 9 }, { notAfter: 11 }],
    ['hours', { hours: null }, { hours: day('08:00', '20:00') }, {}],
    ['hours', { hours: day('08:00', '20:00') }, { hours: day('08:00', '19:59') }, { hours: day('07:59', '20:00') }],
    ['hours', { hours: day('08:00', '20:00') }, { hours: day('09:00', '09:00') }, { hours: day('20:00', '08:00') }],
    ['hours', { hours: day('22:00', '06:00') }, { hours: day('23:00', '05:00') }, { hours: day('06:00', '22:00') }],
    ['hours', { hours: day('22:00', '06:00') }, { hours: day('22:00', '24:00') }, { hours: day('22:00', '06:00', 'Asia/Shanghai') }],
    ['hours', { hours: day('22:00', '06:00') }, { hours: day('01:00', '02:00') }, { hours: null }],
    ['levels', { levels: ['L2', 'L3'] }, { levels: ['L2'] }, { levels: ['L2', 'L4'] }],
    ['minTier', { minTier: 'T1' }, { minTier: 'T2' }, { minTier: 'T0' }],
    ['confirmAbove', { confirmAbove: 10n }, { confirmAbove: 9n }, { confirmAbove: 11n }],
    ['offline', { offline: { maxCount: 2, maxTotal: 9n } }, { offline: null }, { offline: { maxCount: 3, maxTotal: 9n } }],
    ['offline', { offline: null }, { offline: null }, { offline: { maxCount: 1, maxTotal: 1n } }],
    ['offline', { offline: { maxCount: 2, maxTotal: 9n } }, { offline: { maxCount: 2, maxTotal: 8n } }, { offline: { maxCount: 2, maxTotal: 10n } }],
  ];
  it.each(ROWS)('%s: less is tighter, more is not (%#)', (name, before, less, more) => {
    expect(looser(ruled(less), ruled(before))).toEqual([]);
    if (Object.keys(more).length > 0) expect(looser(ruled(more), ruled(before))).toEqual([name]);
  });

  it('name no agent that was not there, and stay in their currency', () => {
    expect(tighter(ruled({}, ['a']), ruled())).toBe(true);
    expect(looser(ruled({}, ['a', 'c']), ruled())).toEqual(['agents']);
    expect(looser(ruled({}, ['a'], 'EUR'), ruled())).toEqual(['currency']);
  });
});

const small = fc.bigInt({ min: 0n, max: 40_000n });
const hour = fc.integer({ min: 0, max: 23 }).map((h) => `${String(h).padStart(2, '0')}:00`);
const someRules: fc.Arbitrary<Partial<CarrierRules>> = fc.record({
  perPaymentMax: small, totalMax: small.map((n) => n * 3n), confirmAbove: small.map((n) => n + 20_000n),
  windows: fc.subarray([{ period: 'P1D' as const, max: 30_000n, count: 3 }, { period: 'PT1H' as const, max: 15_000n, count: 2 }, { period: 'P1D' as const, max: 10_000n, count: 1 }]),
  scenarios: fc.subarray(['gift.flowers', 'food.delivery']),
  payees: fc.shuffledSubarray([{ id: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }, { id: 'merchant_1', origin: 'https://flowers.example', scenario: 'food.delivery' }, { id: 'other', origin: null, scenario: 'gift.flowers' }]),
  notBefore: fc.constantFrom(NOW - 50, NOW + 50), notAfter: fc.constantFrom(NOW + 1000, NOW + 2000),
  hours: fc.oneof(fc.constant(null), fc.record({ tz: fc.constantFrom('UTC', 'Asia/Shanghai'), from: hour, to: hour })),
  levels: fc.subarray([...LEVELS]), minTier: fc.constantFrom(...TIERS),
});
const cases = fc.record({
  before: someRules, next: someRules, keep: fc.subarray(['perPaymentMax', 'totalMax', 'confirmAbove', 'windows', 'scenarios', 'payees', 'notBefore', 'notAfter', 'hours', 'levels', 'minTier'] as const),
  amount: small, level: fc.constantFrom(...LEVELS), spent: fc.constantFrom(0n, 5_000n), atMs: fc.integer({ min: 0, max: 86_400_000 }), confirmed: fc.boolean(),
});
const RANK = { permit: 0, confirm: 1, deny: 2 };

describe('over all rules and payments', () => {
  let compared = 0;
  /** `next` differs from `before` in some rules only, so that enough of them are tighter. */
  const judged = ({ before, next, keep, amount, level, spent, atMs, confirmed }: (typeof cases extends fc.Arbitrary<infer T> ? T : never)) => {
    const after = { ...next, ...Object.fromEntries(keep.map((name) => [name, before[name]])) };
    const windowed = { ...rules, ...before };
    const spoken = (changed: Partial<CarrierRules>): Changes => ({
      intent: { amount: { amount, currency: 'CNY' }, expiresAt: NOW + 100_000 }, mandate: { level, exp: NOW + 100_000, task: { id: 'task-1', summary: 's', textSha256: null, maxPayments: null } },
      open: { exp: NOW + 100_000, constraints: [{ type: 'payment.amount_range', currency: 'CNY', max: 100_000n }] }, closed: { exp: NOW + 100_000 },
      rules: { notBefore: 0, notAfter: NOW + 200_000, ...changed }, carrier: { exp: NOW + 200_000 }, policy: { levels: [...LEVELS] }, appraisal: { tier: 'T3' }, confirmation: confirmed ? { exp: NOW + 200_000, iat: NOW } : null,
      state: { windows: ({ ...windowed, ...changed }.windows).map(() => ({ spent, count: spent === 0n ? 0 : 1 })), carrier: { ...state.carrier!, spent, available: 100_000n } }, nowMs: NOW * 1000 + (confirmed ? atMs % 400_000 : atMs),
    });
    const verdict = (changed: Partial<CarrierRules>) => adjudicate(input(spoken(changed))).decision;
    return { isTighter: tighter(ruled(after), ruled(before)), sameLevels: after.levels!.join() === before.levels!.join(), before: verdict(before), after: verdict(after) };
  };

  it('nothing is permitted without the user\'s word that the looser rules refused', () => {
    fc.assert(fc.property(cases, (one) => {
      const { isTighter, before, after } = judged({ ...one, confirmed: false });
      if (!isTighter) return;
      compared++;
      if (after === 'permit') expect(before).toBe('permit');
    }), { numRuns: 400 });
    expect(compared).toBeGreaterThan(15);
  });

  it('with the same levels nothing is judged more gently, also what the user has confirmed', () => {
    fc.assert(fc.property(cases, (one) => {
      const { isTighter, sameLevels, before, after } = judged({ ...one, keep: [...one.keep, 'levels'] });
      if (isTighter && sameLevels) expect(RANK[after]).toBeGreaterThanOrEqual(RANK[before]);
    }), { numRuns: 400 });
  });

  it('is an order: what is tighter than something tighter is tighter', () => {
    fc.assert(fc.property(someRules, someRules, someRules, (a, b, c) => {
      expect(tighter(ruled(a), ruled(a)), 'as tight as itself').toBe(true);
      if (tighter(ruled(a), ruled(b)) && tighter(ruled(b), ruled(c))) expect(tighter(ruled(a), ruled(c))).toBe(true);
    }), { numRuns: 300 });
  });
});

describe('a mandate that names rules of before', () => {
  const at = (rev: number, perPaymentMax: bigint, changes: Partial<Carrier> = {}): Carrier => ({ ...carrier, rev, rules: { ...rules, perPaymentMax }, ...changes });
  const signed = rulesHash(at(1, 100n).rules);

  it.each<[string, Carrier, Carrier[], boolean]>([
    ['binds under the very rules', at(1, 100n), [], true],
    ['binds under the same rules again', at(3, 100n), [], true],
    ['binds after tighter steps', at(3, 50n), [at(1, 100n), at(2, 100n)], true],
    ['does not bind under other rules without the steps to them', at(2, 50n), [], false],
    ['does not bind after a looser step', at(2, 101n), [at(1, 100n)], false],
    ['does not bind when a looser step hides in the middle', at(3, 50n), [at(1, 100n), at(2, 101n)], false],
    ['does not bind when a step is left out', at(3, 50n), [at(1, 100n)], false],
    ['does not bind when a step is told twice', at(2, 50n), [at(1, 100n), at(1, 100n)], false],
    ['does not bind under an older revision', at(1, 50n), [at(2, 100n)], false],
    ['does not bind when the line begins elsewhere', at(3, 50n), [at(2, 90n)], false],
    ['does not bind by the line of another carrier', at(2, 50n), [at(1, 100n, { jti: `crr_${'0'.repeat(26)}` })], false],
    ['does not bind by the line of another user', at(2, 50n), [at(1, 100n, { sub: `usr_${'0'.repeat(26)}` })], false],
    ['does not bind when an agent came in', at(2, 50n), [at(1, 100n, { agents: [] })], false],
  ])('%s', (_, present, revisions, binds) => {
    expect(asKnown(signed, present, revisions)).toBe(binds);
  });
});
