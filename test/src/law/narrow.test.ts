import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { narrow, type Narrowing } from '../../../src/law/narrow.js';
import { mandateLimits } from '../../../src/law/words.js';
import { verifyKey } from '../../../src/base/jws.js';
import type { Constraint } from '../../../src/objects/mandate.js';
import { issueMandate, type OpenedMandate, openMandate } from '../../../src/sdjwt/index.js';
import { codeOf } from '../../support/fault.js';
import { NOW, PARTIES, hash, mandateOf, openOf, salt } from '../../support/parties.js';

const key = PARTIES.user;
const payees: Constraint = { type: 'payment.allowed_payees', allowed: [{ id: 'merchant_1', name: 'One', website: 'https://one.example' }, { id: 'merchant_2', name: 'Two' }] };
const opened = ({ level = 'L3', maxPayments = 3, constraints = [...openOf().constraints, payees] }: { level?: 'L3' | 'L4'; maxPayments?: number | null; constraints?: Constraint[] } = {}): OpenedMandate => {
  const value = mandateOf(hash('manifest'), hash('rules'));
  return openMandate(issueMandate({ ...value, level, mode: 'delegated', task: { ...value.task, maxPayments } }, { ...openOf(), constraints }, key, salt(1)), () => verifyKey(key.jwk, key.kid));
};
const at = { iat: NOW, currency: 'CNY' };
const narrowed = (wish: Narrowing, before = opened()) => narrow(before, wish, at);
const limit = (constraints: readonly Constraint[], type: Constraint['type']): unknown => constraints.filter((one) => one.type === type);

describe('a tighter mandate', () => {
  it('keeps all that is not said, the agent, its key, the task and the rules among it', () => {
    const before = opened();
    const { value, open } = narrowed({}, before);
    const { agent, cnf, carrier, task, level, mode, sub, exp } = before.mandate.value;
    expect(value).toMatchObject({ agent, cnf, carrier, task, level, mode, sub, exp });
    expect(open.constraints).toEqual(before.open.constraints);
  });

  it('takes every limit down', () => {
    const { value, open } = narrowed({ maxAmount: 100n, payees: ['merchant_2'], maxPayments: 1, exp: NOW + 60, level: 'L2', summary: 'only tulips' });
    expect(limit(open.constraints, 'payment.amount_range')).toMatchObject([{ max: 100n }]);
    expect(limit(open.constraints, 'payment.allowed_payees')).toEqual([{ type: 'payment.allowed_payees', allowed: [{ id: 'merchant_2', name: 'Two' }] }]);
    expect([value.task.maxPayments, value.exp, open.exp, value.level, value.mode, value.task.summary, value.task.textSha256]).toEqual([1, NOW + 60, NOW + 60, 'L2', 'instant', 'only tulips', sha256('only tulips')]);
  });

  it('gets limits where there were none', () => {
    const bare = opened({ constraints: [{ type: 'payment.reference', conditional_transaction_id: hash('order') }], level: 'L4', maxPayments: null });
    const { value, open } = narrowed({ maxAmount: 5n, payees: ['x'], maxPayments: 7 }, bare);
    expect([limit(open.constraints, 'payment.amount_range'), limit(open.constraints, 'payment.allowed_payees'), value.task.maxPayments]).toMatchObject([[{ max: 5n, currency: 'CNY' }], [{ allowed: [{ id: 'x' }] }], 7]);
    expect(limit(open.constraints, 'payment.reference'), 'and loses none').toHaveLength(1);
  });

  it.each<[string, Narrowing]>([
    ['a larger amount', { maxAmount: 20_001n }],
    ['a payee who was not among those', { payees: ['merchant_1', 'merchant_3'] }],
    ['more payments', { maxPayments: 4 }],
    ['a later end', { exp: NOW + 100_000 }],
    ['a higher level', { level: 'L4' }],
  ])('is refused with %s', (_, wish) => {
    expect(codeOf(() => narrowed(wish))).toBe('mandate.wider');
  });

  it('is refused more payments than the one that a mandate without a number has', () => {
    expect(codeOf(() => narrowed({ maxPayments: 2 }, opened({ maxPayments: null })))).toBe('mandate.wider');
  });
});

describe('a mandate in words', () => {
  it('says every limit that is checked', () => {
    expect(mandateLimits(opened({ constraints: [
      { type: 'payment.amount_range', currency: 'CNY', min: 100n, max: 20_000n }, payees, { type: 'payment.execution_date', not_before: '2027-01-01' }, { type: 'payment.reference', conditional_transaction_id: hash('order') },
    ] }))).toEqual([
      'com.example.shopper, version 1.0.0, and no other program', 'at most 200.00 CNY for one payment, at least 1.00 CNY', 'only to merchant_1 (https://one.example) or merchant_2', 'only from 2027-01-01',
      `only for the order ${hash('order')}`, 'at most 3 payments', 'only for the task task-1', expect.stringMatching(/^from 2027-01-15 .* until 2027-01-15 .* UTC$/), expect.stringContaining('L3'), expect.stringContaining('crr_'),
    ]);
    expect(mandateLimits(opened({ level: 'L4', maxPayments: null }))).toContain('any number of payments');
    expect(mandateLimits(opened({ maxPayments: null })), 'a number that is not said is one').toContain('one payment');
  });
});
