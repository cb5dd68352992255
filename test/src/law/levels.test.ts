import { describe, expect, it } from 'vitest';
import { LEVEL_ROWS, effectiveLevel, maxPayments } from '../../../src/law/index.js';
import { LEVELS, type Level } from '../../../src/names.js';
import { mandate, state } from '../../support/examples.js';
import { type Changes, outcome, rule } from './case.js';

/** A payment that is in order at a level, on a device of tier T3, under a policy that enables all levels. */
const at = (level: Level, changes: Changes = {}): Changes => ({
  ...changes,
  mandate: { level, ...changes.mandate },
  policy: { levels: [...LEVELS], ...changes.policy },
  appraisal: { tier: 'T3', ...changes.appraisal },
});
const confirmed: Changes = { confirmation: {} };
const warned: Changes = { appraisal: { status: 'warning' } };

/** level: in order; confirmed by the user; with a doubt; with a doubt and confirmed; over a limit and confirmed. */
const TABLE: [Level, string, string, string, string, string][] = [
  ['L0', 'confirm decision.confirm_needed', 'permit', 'confirm decision.platform', 'permit', 'deny carrier.per_payment'],
  ['L1', 'confirm decision.confirm_needed', 'permit', 'confirm decision.platform', 'permit', 'deny carrier.per_payment'],
  ['L2', 'confirm decision.confirm_needed', 'permit', 'confirm decision.platform', 'permit', 'deny carrier.per_payment'],
  ['L3', 'permit', 'permit', 'confirm decision.platform', 'permit', 'deny carrier.per_payment'],
  ['L4', 'permit', 'permit', 'confirm decision.platform', 'permit', 'deny carrier.per_payment'],
  ['L5', 'permit', 'permit', 'deny decision.platform', 'deny decision.platform', 'deny carrier.per_payment'],
];

describe.each(TABLE)('%s', (level, plain, agreed, doubted, doubtedAgreed, over) => {
  it(`in order: ${plain}`, () => expect(outcome(at(level))).toBe(plain));
  it(`confirmed by the user: ${agreed}`, () => expect(outcome(at(level, confirmed))).toBe(agreed));
  it(`with a doubt: ${doubted}`, () => expect(outcome(at(level, warned))).toBe(doubted));
  it(`with a doubt and confirmed: ${doubtedAgreed}`, () => expect(outcome(at(level, { ...warned, ...confirmed }))).toBe(doubtedAgreed));
  it(`over a limit and confirmed: ${over}`, () => expect(outcome(at(level, { ...confirmed, rules: { perPaymentMax: 1n } }))).toBe(over));
  it('is owed to the user as its row says', () => expect(rule(at(level, confirmed)).obligations).toEqual(LEVEL_ROWS[level].obligations));
});

describe('the level a payment is judged at', () => {
  const cases: [string, Changes, Level, string][] = [
    ['what the carrier allows, when the mandate says more', at('L4', { rules: { levels: ['L0', 'L1', 'L2', 'L3'] } }), 'L3', 'permit'],
    ['what the policy allows, when the mandate says more', at('L4', { policy: { levels: ['L2'] } }), 'L2', 'confirm decision.confirm_needed'],
    ['the highest that both allow', at('L4', { rules: { levels: ['L2', 'L3'] }, policy: { levels: ['L2', 'L4'] } }), 'L2', 'confirm decision.confirm_needed'],
    ['never above the mandate\'s', at('L2', { rules: { levels: ['L4'] } }), 'L0', 'deny carrier.level'],
    ['none, when the carrier names none', at('L3', { rules: { levels: [] } }), 'L0', 'deny carrier.level'],
    ['none, when the policy names none', at('L3', { policy: { levels: [] } }), 'L0', 'deny level.not_allowed'],
    ['L5 or nothing, when the policy does not enable it', at('L5', { policy: { levels: ['L0', 'L1', 'L2', 'L3', 'L4'] } }), 'L4', 'deny level.not_allowed'],
    ['L5 or nothing, when the carrier does not allow it', at('L5', { rules: { levels: ['L0', 'L1', 'L2', 'L3', 'L4'] } }), 'L4', 'deny carrier.level'],
    ['its own for the tier', at('L5', { appraisal: { tier: 'T2' } }), 'L5', 'deny carrier.tier'],
  ];
  it.each(cases)('is %s', (_, changes, level, expected) => {
    expect(rule(changes).level).toBe(level);
    expect(outcome(changes)).toBe(expected);
  });

  it('is the highest member of all lists that is not above what was said', () => {
    expect(effectiveLevel('L4', ['L1', 'L3', 'L5'], ['L1', 'L3'])).toBe('L3');
    expect(effectiveLevel('L0', ['L1'])).toBeNull();
    expect(effectiveLevel('L5')).toBe('L5');
  });
});

describe('the payments of a mandate', () => {
  it.each([['L0', 7, 1], ['L2', null, 1], ['L3', null, 1], ['L3', 7, 7], ['L4', null, null], ['L4', 7, 7], ['L5', null, null]] as const)('at %s, saying %s: %s', (level, said, expected) => {
    expect(maxPayments(level, said)).toBe(expected);
  });

  it('are unlimited at L4 when the mandate says nothing, and one at L2 whatever it says', () => {
    const used = { state: { mandate: { ...state.mandate!, uses: 1 } } };
    expect(outcome(at('L4', { ...used, mandate: { task: { ...mandate.task, maxPayments: null } } }))).toBe('permit');
    expect(outcome(at('L2', { ...used, ...confirmed, mandate: { task: { ...mandate.task, maxPayments: 9 } } }))).toBe('deny mandate.exhausted');
  });
});

describe('a task', () => {
  it('need not be named above L3, and must not be another when it is', () => {
    expect(outcome(at('L4', { intent: { taskId: null } }))).toBe('permit');
    expect(outcome(at('L4', { intent: { taskId: 'task-2' } }))).toBe('deny mandate.task');
    expect(outcome(at('L4', { mandate: { task: { ...mandate.task, id: null } } }))).toBe('permit');
  });
});
