/** The law of offline payments, a row for each rule: permitted as it stands, and denied for one change. */
import { describe, expect, it } from 'vitest';
import { type AllowanceTerms, allowanceTerms, precheckOffline } from '../../../src/law/index.js';
import { OFFLINE_RULES, type OfflineFacts } from '../../../src/law/offline.js';
import { UPLOAD_GRACE_S } from '../../../src/law/allowance.js';
import { type OfflineAllowance, offlineNonce } from '../../../src/objects/allowance.js';
import type { AllowanceState } from '../../../src/objects/carrier.js';
import type { Mandate } from '../../../src/objects/mandate.js';
import { NOW, carrier, intent, mandate, offline, openPayment, rules, state } from '../../support/examples.js';
import { type Changes, input, rule } from './case.js';

interface Offline { allowance?: Partial<OfflineAllowance>; line?: Partial<AllowanceState>; made?: Partial<NonNullable<OfflineFacts['made']>>; changes?: Changes; nowMs?: number }

const LEVELS = { mandate: { level: 'L4' as const, mode: 'delegated' as const } };
const amount = (minor: bigint): Changes => ({ ...LEVELS, intent: { amount: { amount: minor, currency: 'CNY' } } });

function ruled({ allowance = {}, line = {}, made = {}, changes = LEVELS, nowMs = (NOW + 3600) * 1000 }: Offline = {}) {
  const given = { ...offline, carrierRev: carrier.rev, ...allowance };
  return rule({
    ...changes, nowMs, state: { ...changes.state, allowance: { allowanceId: given.jti, count: 0, spent: 0n, ctrLast: 7n, ctrEnd: null, ...line } },
    with: { offline: { allowance: given, made: { ctr: 8n, clock: 700_000n, ...made } } },
  });
}
const outcome = (one: Offline = {}): string => { const { decision, code } = ruled(one); return code === null ? decision : `${decision} ${code}`; };

describe('an offline payment', () => {
  it('is permitted within its allowance, though it comes an hour later', () => {
    expect(outcome()).toBe('permit');
  });

  it.each<[string, Offline, string]>([
    ['of another mandate', { allowance: { mandateId: 'mnd_01JD0000000000000000000009' } }, 'deny offline.other'],
    ['of another revision of the carrier', { allowance: { carrierRev: 99 } }, 'deny offline.other'],
    ['of another key of the agent', { allowance: { cnf: { jwk: { ...offline.cnf.jwk, x: offline.cnf.jwk.y } } } }, 'deny offline.other'],
    ['made before its allowance', { allowance: { iat: NOW + 100 } }, 'deny offline.expired'],
    ['made after its allowance', { allowance: { exp: NOW } }, 'deny offline.expired'],
    ['made, by the clock of the TPM, long after its allowance', { made: { clock: 1000n + 4200n * 1150n + 300_001n } }, 'deny offline.expired'],
    ['brought too late', { nowMs: offline.uploadUntil * 1000 }, 'deny offline.late'],
    ['made after the device came back', { line: { ctrEnd: 8n } }, 'deny offline.closed'],
    ['with a value of the counter that was taken', { line: { ctrLast: 8n } }, 'deny ctr.not_increased'],
    ['with a value of the counter from before', { made: { ctr: 7n } }, 'deny ctr.not_increased'],
    ['one more than allowed', { line: { count: 3 } }, 'deny offline.count'],
    ['one more than allowed, as the counter says', { made: { ctr: 11n } }, 'deny offline.count'],
    ['of more than is left', { line: { spent: 40_101n } }, 'deny offline.total'],
    ['of more than one may be', { allowance: { perPaymentMax: 1n } }, 'deny offline.per_payment'],
    ['of nothing', { changes: amount(0n) }, 'deny offline.per_payment'],
    ['in another currency', { allowance: { currency: 'EUR' } }, 'deny offline.per_payment'],
    ['to a payee that is not listed', { allowance: { payees: [{ ...offline.payees[0]!, id: 'merchant_2' }] } }, 'deny offline.payee'],
    ['to another origin of a listed payee', { allowance: { payees: [{ ...offline.payees[0]!, origin: null }] } }, 'deny offline.payee'],
    ['for another scenario', { allowance: { payees: [{ ...offline.payees[0]!, scenario: 'food' }] } }, 'deny offline.payee'],
    ['up to an amount', { changes: { ...LEVELS, intent: { bound: 'max' } } }, 'deny offline.bound'],
    ['to be captured later', { changes: { ...LEVELS, intent: { captureUntil: NOW + 60 } } }, 'deny offline.bound'],
    ['of a device below T2', { changes: { ...LEVELS, appraisal: { tier: 'T1' } } }, 'deny carrier.tier'],
    ['by another agent version', { changes: { ...LEVELS, with: {}, mandate: { ...LEVELS.mandate, agent: { ...mandate.agent, manifestSha256: 'x'.repeat(43) } } } }, 'deny mandate.agent_mismatch'],
    ['that the user would have had to confirm', { changes: { ...LEVELS, rules: { confirmAbove: 1n } } }, 'deny decision.above_confirm'],
    ['at a level where the user approves', { changes: { mandate: { level: 'L2', mode: 'instant' } } }, 'deny decision.confirm_needed'],
    ['on evidence about which there is a doubt', { changes: { ...LEVELS, appraisal: { status: 'warning', code: null } } }, 'deny decision.platform'],
  ])('%s is denied', (_, change, expected) => {
    expect(outcome(change)).toBe(expected);
  });

  it('is told, not denied, that values of the counter are missing before it', () => {
    const { decision, code, checks, findings } = ruled({ made: { ctr: 9n } });
    expect([decision, code]).toEqual(['permit', null]);
    expect(checks.find(({ check }) => check === 'offline.counter')).toEqual({ check: 'offline.counter', result: 'permit', code: 'ctr.gap' });
    expect(findings.map(({ message }) => message)).toContain('1 values of the counter before 9 belong to no payment that was brought');
  });

  it('is not stopped by what was revoked, spent or frozen since: the allowance was issued before', () => {
    const changes: Changes = { ...LEVELS, state: { carrier: { ...state.carrier!, state: 'revoked', available: 0n }, mandate: { ...state.mandate!, state: 'revoked', uses: 999 }, windows: [{ spent: 10n ** 9n, count: 999 }] } };
    expect(outcome({ changes })).toBe('permit');
    expect(rule(changes).decision, 'online it is').toBe('deny');
  });

  it('is judged by the time at which it was made', () => {
    expect(outcome({ nowMs: (offline.exp + 86_400) * 1000 }), 'brought when allowance, request and closed mandate are long over').toBe('permit');
    expect(outcome({ changes: { ...LEVELS, closed: { iat: NOW + 5000, exp: NOW + 5100 } } })).toBe('deny decision.intent_expired');
  });

  it('has a nonce of its own for each allowance and each value of the counter', () => {
    expect(new Set([offlineNonce('alw_1', 11n), offlineNonce('alw_11', 1n), offlineNonce('alw_1', 12n)]).size).toBe(3);
  });

  it('is asked the same by the device, before and after it signs', () => {
    const { mandate: opened, carrier: signed } = input({ ...LEVELS });
    const ask = (over: Partial<OfflineAllowance>, made: OfflineFacts['made']) => precheckOffline({
      intent, mandate: opened!, carrier: signed!, nowMs: NOW * 1000,
      offline: { allowance: { ...offline, carrierRev: carrier.rev, ...over }, state: { allowanceId: offline.jti, count: 0, spent: 0n, ctrLast: 0n, ctrEnd: null }, made, receivedMs: null },
    }).map(({ code }) => code);
    expect(ask({}, null)).toEqual([]);
    expect(ask({}, { ctr: 9n, clock: 2000n }), 'a gap is no reason against it').toEqual([]);
    expect(ask({ perPaymentMax: 1n }, null)).toEqual(['offline.per_payment']);
    expect(ask({}, { ctr: 11n, clock: 2000n })).toEqual(['offline.count']);
  });

  it('has a case here for each rule', () => {
    expect(OFFLINE_RULES.map(({ name }) => name)).toEqual(['offline.subject', 'offline.life', 'offline.received', 'offline.counter', 'offline.count', 'offline.total', 'offline.per_payment', 'offline.payee', 'offline.bound', 'offline.tier']);
  });
});

describe('an allowance', () => {
  const credential = { ...mandate, vct: 'tag:ari.example,2026:mandate:1', delegatePayload: [], _sdAlg: 'sha-256', level: 'L4', mode: 'delegated', task: { ...mandate.task, maxPayments: 10 } } as Mandate;
  const base = {
    mandate: credential, open: openPayment, carrier: { ...carrier, rules: { ...rules, levels: ['L3', 'L4'], offline: { maxCount: 3, maxTotal: 5000n } } }, state: { ...state, mandate: { ...state.mandate!, uses: 0 } },
    held: { count: 0, total: 0n }, scenarioOf: () => null, policy: { levels: ['L3', 'L4', 'L5'], minTier: 'T1' }, nowS: NOW,
  } as unknown as Parameters<typeof allowanceTerms>[0];
  const terms = (over: Partial<typeof base> = {}): AllowanceTerms => {
    const ruling = allowanceTerms({ ...base, ...over });
    if ('refused' in ruling) throw new Error(ruling.refused);
    return ruling.terms;
  };
  const withRules = (over: Partial<typeof rules>) => ({ carrier: { ...base.carrier, rules: { ...base.carrier.rules, ...over } } });

  it('is for no more than the rules, the money and the mandate leave', () => {
    expect(terms()).toMatchObject({ maxCount: 3, maxTotal: 5000n });
    expect(terms({ held: { count: 1, total: 4000n } })).toMatchObject({ maxCount: 2, maxTotal: 1000n, perPaymentMax: 1000n });
    expect(terms({ state: { ...base.state, carrier: { ...base.state.carrier!, available: 700n } } }).maxTotal).toBe(700n);
    expect(terms({ ...withRules({ windows: [{ period: 'P1D', max: 900n, count: 2 }] }), state: { ...base.state, windows: [{ spent: 400n, count: 1 }] } })).toMatchObject({ maxCount: 1, maxTotal: 500n });
    expect(terms({ state: { ...base.state, mandate: { ...base.state.mandate!, uses: 9 } } }).maxCount).toBe(1);
    expect(terms(withRules({ confirmAbove: 301n })).perPaymentMax, 'what the user would have to confirm is never offline').toBe(300n);
  });

  it('ends with the first of mandate, carrier and a day, and is waited for a week longer', () => {
    const { exp, uploadUntil } = terms({ mandate: { ...credential, exp: NOW + 500 } });
    expect([exp, uploadUntil]).toEqual([NOW + 500, NOW + 500 + UPLOAD_GRACE_S]);
    expect(terms({ mandate: { ...credential, exp: NOW + 10 ** 7 }, open: { ...openPayment, exp: NOW + 10 ** 7 }, carrier: { ...base.carrier, exp: NOW + 10 ** 7, rules: { ...base.carrier.rules, notAfter: NOW + 10 ** 7 } } }).exp).toBe(NOW + 86_400);
  });

  it('is for payees that carrier and mandate list, of whom nobody says that they sell something else', () => {
    expect(terms().payees).toEqual(rules.payees);
    expect(() => terms({ scenarioOf: () => 'other' })).toThrow('no payee is permitted');
    expect(() => terms({ open: { ...openPayment, constraints: [{ type: 'payment.allowed_payees', allowed: [{ id: 'merchant_9', name: 'x' }] }] } })).toThrow('no payee is permitted');
  });

  it.each<[string, Partial<typeof base>, string]>([
    ['the carrier says nothing of offline', withRules({ offline: null }), 'the carrier does not permit offline payments'],
    ['the user approves each payment', { mandate: { ...credential, level: 'L2' } as Mandate, ...withRules({ levels: ['L2'] }) }, 'the user approves each payment'],
    ['the mandate is for instant payments', { mandate: { ...credential, mode: 'instant' } as Mandate }, 'the user approves each payment'],
    ['the carrier asks for more than is shown offline', withRules({ minTier: 'T3' }), 'tier T3 is asked for, and offline no more than T2 is shown'],
    ['the policy does', { policy: { levels: ['L4'], minTier: 'T3' } }, 'tier T3 is asked for, and offline no more than T2 is shown'],
    ['the level does', { mandate: { ...credential, level: 'L5' } as Mandate, ...withRules({ levels: ['L5'] }) }, 'tier T3 is asked for, and offline no more than T2 is shown'],
    ['the carrier is frozen', { state: { ...base.state, carrier: { ...base.state.carrier!, state: 'frozen' } } }, 'the carrier is not active'],
    ['the mandate is revoked', { state: { ...base.state, mandate: { ...base.state.mandate!, state: 'revoked' } } }, 'the mandate is not valid'],
    ['the agent was taken off the carrier', { carrier: { ...base.carrier, agents: [] } }, 'the agent is not among those of the carrier'],
    ['everything is held already', { held: { count: 3, total: 0n } }, 'nothing is left for it'],
    ['the mandate ends at once', { mandate: { ...credential, exp: NOW + 30 } }, 'mandate or carrier end too soon'],
  ])('is refused when %s', (_, over, why) => {
    expect(() => terms(over)).toThrow(why);
  });
});
