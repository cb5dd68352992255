import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AdjudicationInput, adjudicate } from '../../../src/law/index.js';
import { DECISIONS, EAR_STATUSES, GRADES, LEVELS, TIERS } from '../../../src/names.js';
import { carrierRules } from '../../../src/objects/carrier.js';
import { decode, encode } from '../../../src/base/shape.js';
import { rules, state } from '../../support/examples.js';
import { type Changes, input, rule } from './case.js';

const RANK = { permit: 0, confirm: 1, deny: 2 };
const rank = (changes: Changes): number => RANK[rule(changes).decision];
const small = fc.bigInt({ min: 0n, max: 40_000n });
const limit = fc.oneof({ weight: 4, arbitrary: fc.bigInt({ min: 40_000n, max: 120_000n }) }, { weight: 1, arbitrary: small });
/** Mostly the first of the list, so that enough payments are in order. */
const mostly = <const T>(first: T, ...rest: T[]): fc.Arbitrary<T> => fc.oneof({ weight: 6, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: fc.constantFrom(first, ...rest) });

/** Payments of all kinds around the limits of the rules. */
const payments = fc.record({
  amount: small,
  level: fc.constantFrom(...LEVELS),
  mode: mostly('delegated', 'instant'),
  bound: mostly('exact', 'max'),
  grade: mostly(...GRADES),
  protocol: mostly('native', 'acp'),
  scenario: mostly<string | null>('gift.flowers', null, 'food.delivery', 'other'),
  tier: mostly('T3', ...TIERS),
  status: mostly(...EAR_STATUSES),
  simulated: mostly(false, true),
  allowSimulated: fc.boolean(),
  confirmed: fc.boolean(),
  confirmAbove: limit, perPaymentMax: limit, totalMax: limit, windowMax: limit, available: limit, spent: mostly(0n, 20_000n, 90_000n),
}).map((p): { changes: Changes; amount: bigint } => ({
  amount: p.amount,
  changes: {
    intent: { amount: { amount: p.amount, currency: 'CNY' }, bound: p.bound, grade: p.grade, protocol: p.protocol, scenario: p.scenario },
    mandate: { level: p.level, mode: p.mode },
    rules: { confirmAbove: p.confirmAbove, perPaymentMax: p.perPaymentMax, totalMax: p.totalMax, windows: [{ period: 'P1D', max: p.windowMax, count: 5 }] },
    open: { constraints: [{ type: 'payment.amount_range', currency: 'CNY', max: 100_000n }] },
    state: { carrier: { ...state.carrier!, available: p.available, spent: p.spent } },
    appraisal: { tier: p.tier, status: p.status, simulated: p.simulated },
    policy: { levels: [...LEVELS], allowSimulated: p.allowSimulated },
    confirmation: p.confirmed ? {} : null,
  },
}));

describe('over all payments', () => {
  it('there are enough of each decision for what follows to mean something', () => {
    const seen = fc.sample(payments, 300).map(({ changes }) => rule(changes).decision);
    for (const decision of DECISIONS) expect(seen.filter((one) => one === decision).length).toBeGreaterThan(10);
  });

  it('the same input gives the same ruling, and is not changed', () => {
    fc.assert(fc.property(payments, ({ changes }) => {
      const given = input(changes);
      const before = structuredClone({ ...given, mandate: null, carrier: null, confirmation: null, mandateFault: null });
      expect(adjudicate(given)).toEqual(adjudicate(given));
      expect({ ...given, mandate: null, carrier: null, confirmation: null, mandateFault: null }).toEqual(before);
    }), { numRuns: 80 });
  });

  it('a higher amount is never judged more gently', () => {
    fc.assert(fc.property(payments, small, ({ changes, amount }, more) => {
      const higher = { ...changes, intent: { ...changes.intent, amount: { amount: amount + more, currency: 'CNY' } } };
      expect(rank(higher)).toBeGreaterThanOrEqual(rank(changes));
    }), { numRuns: 150 });
  });

  it('a rule of the carrier that is left out is never judged more gently than any rule that was said', () => {
    const wire = encode(carrierRules, rules) as Record<string, never>;
    const names = Object.keys(wire).filter((name) => name !== 'salt');
    fc.assert(fc.property(payments, fc.subarray(names, { minLength: 1 }), ({ changes }, left) => {
      const said = encode(carrierRules, { ...rules, ...changes.rules }) as Record<string, never>;
      const kept = Object.fromEntries(Object.entries(said).filter(([name]) => !left.includes(name)));
      expect(rank({ ...changes, rules: decode(carrierRules, kept) })).toBeGreaterThanOrEqual(rank(changes));
    }), { numRuns: 150 });
  });

  const doubts: [string, (changes: Changes) => Changes][] = [
    ['a warning', (c) => ({ ...c, appraisal: { ...c.appraisal, status: c.appraisal!.status === 'contraindicated' ? 'contraindicated' : 'warning' } })],
    ['a lower tier', (c) => ({ ...c, appraisal: { ...c.appraisal, tier: TIERS[Math.max(0, TIERS.indexOf(c.appraisal!.tier!) - 1)]! } })],
    ['a simulated TPM', (c) => ({ ...c, appraisal: { ...c.appraisal, simulated: true } })],
    ['evidence that is not authentic', (c) => ({ ...c, appraisal: { ...c.appraisal, authentic: false } })],
    ['the word of the agent alone', (c) => ({ ...c, intent: { ...c.intent, grade: 'C' } })],
    ['an open bound', (c) => ({ ...c, intent: { ...c.intent, bound: 'max' } })],
    ['no word about the scenario', (c) => ({ ...c, state: { ...c.state, scenario: 'other' } })],
    ['the loss of the confirmation', (c) => ({ ...c, confirmation: null })],
    ['an earlier use of the mandate', (c) => ({ ...c, state: { ...c.state, mandate: { ...state.mandate!, uses: 1 } } })],
    ['a reference that cannot be resolved', (c) => ({ ...c, open: { constraints: [...c.open!.constraints!, { type: 'payment.reference', conditional_transaction_id: rules.salt.padEnd(43, 'A') }] } })],
  ];
  it.each(doubts)('%s never helps', (_, worsen) => {
    fc.assert(fc.property(payments, ({ changes }) => {
      expect(rank(worsen(changes))).toBeGreaterThanOrEqual(rank(changes));
    }), { numRuns: 60 });
  });

  it('nothing that is missing is taken for granted', () => {
    const parts: (keyof AdjudicationInput)[] = ['mandate', 'closed', 'carrier', 'agent'];
    fc.assert(fc.property(payments, fc.constantFrom(...parts), ({ changes }, part) => {
      expect(rule({ ...changes, with: { [part]: null } }).decision).toBe('deny');
    }), { numRuns: 60 });
  });

  it('the user confirms every payment of the levels at which the user approves', () => {
    fc.assert(fc.property(payments, fc.constantFrom('L0' as const, 'L1' as const, 'L2' as const), ({ changes }, level) => {
      expect(rule({ ...changes, mandate: { level }, confirmation: null }).decision).not.toBe('permit');
    }), { numRuns: 60 });
  });
});
