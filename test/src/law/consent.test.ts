import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { NOW, intent } from '../../support/examples.js';
import { type Changes, outcome, rule } from './case.js';

/** At L2 the user confirms each payment. */
const atL2 = (confirmation: Changes['confirmation'], more: Changes = {}): Changes => ({ mandate: { level: 'L2' }, ...(confirmation === undefined ? {} : { confirmation }), ...more });

describe('a confirmation', () => {
  it('of exactly this payment permits it', () => expect(outcome(atL2({}))).toBe('permit'));

  it('leaves in the decision what the user was asked for', () => {
    const approval = rule(atL2({})).checks.find(({ check }) => check === 'approval');
    expect(approval).toEqual({ check: 'approval', result: 'permit', code: 'decision.confirm_needed' });
  });

  const others: [string, Changes][] = [
    ['of another payment', atL2({ paymentSha256: sha256('other') })],
    ['of other terms', atL2({ termsSha256: sha256('other') })],
    ['of a lower amount', atL2({ amount: { amount: 1n, currency: 'CNY' } })],
    ['of the amount in another currency', atL2({ amount: { ...intent.amount, currency: 'JPY' } })],
    ['of another payee', atL2({ payee: { ...intent.payee, id: 'merchant_2' } })],
    ['of the payee at another origin', atL2({ payee: { ...intent.payee, origin: null } })],
    ['by another user', atL2({ sub: 'usr_00000000000000000000000000' })],
    ['that is over', atL2({ exp: NOW })],
    ['that is older than the policy takes', atL2({ iat: NOW - 600 })],
    ['from the future', atL2({ iat: NOW + 6 })],
  ];
  it.each(others)('%s permits nothing', (_, changes) => expect(outcome(changes)).toBe('confirm decision.confirm_needed'));

  it('that fits nothing lowers a payment that would be permitted without it', () => {
    expect(outcome({ confirmation: { paymentSha256: sha256('other') } })).toBe('confirm confirm.mismatch');
    expect(outcome({ confirmation: { exp: NOW } })).toBe('confirm confirm.expired');
  });

  it('never answers a denial', () => {
    expect(outcome(atL2({}, { rules: { payees: [] } }))).toBe('deny carrier.payee');
    expect(outcome(atL2({}, { with: { agent: null } }))).toBe('deny mandate.agent_mismatch');
  });
});
