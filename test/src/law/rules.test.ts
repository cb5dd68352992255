import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { fault } from '../../../src/base/fault.js';
import { RULES, precheck } from '../../../src/law/index.js';
import { CARRIER_INSTRUMENT } from '../../../src/objects/mandate.js';
import { NOW, ids, mandate, openPayment, state } from '../../support/examples.js';
import { type Changes, input, outcome, rule } from './case.js';

const money = (amount: bigint, currency = 'CNY') => ({ amount: { amount, currency } });
const constraints = (...list: typeof openPayment.constraints): Changes => ({ open: { constraints: list } });
const funds = (changes: Partial<NonNullable<typeof state.carrier>>): Changes => ({ state: { carrier: { ...state.carrier!, ...changes } } });
const uses = (changes: Partial<NonNullable<typeof state.mandate>>): Changes => ({ state: { mandate: { ...state.mandate!, ...changes } } });
const contraindicated = { status: 'contraindicated', code: 'agent.drift', findings: [{ code: 'agent.drift', message: 'a file of the agent changed' }] } as const;

/** One attack or mistake per row: what is wrong with the payment, and what it leads to. Each row is the payment of "permits" with this one change. */
const ROWS: Record<string, [string, Changes, string][]> = {
  intent: [
    ['asked for too long ago', { intent: { expiresAt: NOW } }, 'deny decision.intent_expired'],
  ],
  evidence: [
    ['not authentic', { appraisal: { authentic: false, status: 'contraindicated', code: 'quote.signature', findings: [{ code: 'quote.signature', message: 'x' }] } }, 'deny quote.signature'],
    ['not authentic and silent about why', { appraisal: { authentic: false } }, 'deny decision.platform'],
    ['contraindicated', { appraisal: contraindicated }, 'deny agent.drift'],
    ['in a warning', { appraisal: { status: 'warning', code: 'agent.env_risky', findings: [{ code: 'agent.env_risky', message: 'x' }] } }, 'confirm agent.env_risky'],
    ['without a claim', { appraisal: { status: 'none' } }, 'confirm decision.platform'],
    ['of a simulated TPM', { appraisal: { simulated: true } }, 'deny decision.simulated'],
    ['of a simulated TPM where the policy allows it', { appraisal: { simulated: true }, policy: { allowSimulated: true } }, 'permit'],
    ['of another agent', { with: { agent: { agentId: 'other', manifestSha256: mandate.agent.manifestSha256 } } }, 'deny mandate.agent_mismatch'],
    ['of another version of the agent', { with: { agent: { agentId: mandate.agent.id, manifestSha256: sha256('v2') } } }, 'deny mandate.agent_mismatch'],
    ['of no agent', { with: { agent: null } }, 'deny mandate.agent_mismatch'],
  ],
  mandate: [
    ['absent', { with: { mandate: null } }, 'deny mandate.unknown'],
    ['refused when it was opened', { with: { mandate: null, mandateFault: fault('mandate.signature') } }, 'deny mandate.signature'],
    ['not yet valid', { mandate: { nbf: NOW + 6 } }, 'deny mandate.expired'],
    ['valid in five seconds, by a clock that may differ', { mandate: { nbf: NOW + 5 } }, 'permit'],
    ['over', { mandate: { exp: NOW } }, 'deny mandate.expired'],
    ['over in its AP2 part', { open: { exp: NOW } }, 'deny mandate.expired'],
    ['revoked', uses({ state: 'revoked' }), 'deny mandate.revoked'],
    ['suspended', uses({ state: 'suspended' }), 'deny mandate.revoked'],
    ['expired in the store', uses({ state: 'expired' }), 'deny mandate.expired'],
    ['unknown to the store', { state: { mandate: null } }, 'deny mandate.unknown'],
    ['judged by the state of another mandate', uses({ mandateId: 'mnd_00000000000000000000000000' }), 'deny mandate.unknown'],
    ['used up', uses({ uses: 1 }), 'deny mandate.exhausted'],
    ['used once of twice', { mandate: { task: { ...mandate.task, maxPayments: 2 } }, ...uses({ uses: 1 }) }, 'permit'],
    ['used once and silent about how often', { mandate: { task: { ...mandate.task, maxPayments: null } }, ...uses({ uses: 1 }) }, 'deny mandate.exhausted'],
    ['for another task', { intent: { taskId: 'task-2' } }, 'deny mandate.task'],
    ['for a task that the request does not name', { intent: { taskId: null } }, 'deny mandate.task'],
    ['for no task', { mandate: { task: { ...mandate.task, id: null } } }, 'deny mandate.task'],
    ['for another carrier', { mandate: { carrier: { id: 'crr_00000000000000000000000000', rulesSha256: sha256('') } } }, 'deny mandate.carrier'],
    ['of another user than the carrier', { carrier: { sub: 'usr_00000000000000000000000000' } }, 'deny mandate.carrier'],
    ['for instant payments', { mandate: { mode: 'instant' } }, 'confirm decision.confirm_needed'],
  ],
  'closed mandate': [
    ['absent', { with: { closed: null } }, 'deny mandate.closed'],
    ['refused when it was opened', { with: { closed: null, mandateFault: fault('mandate.closed', { what: 'x' }) } }, 'deny mandate.closed'],
    ['for another payment', { closed: { riskData: { ari: { paymentSha256: sha256('other') } } } }, 'deny mandate.closed'],
    ['for other terms', { closed: { transactionId: sha256('other') } }, 'deny mandate.closed'],
    ['for another payee', { closed: { payee: { id: 'merchant_2', name: 'Other' } } }, 'deny mandate.closed'],
    ['for another origin of the payee', { closed: { payee: { id: 'merchant_1', name: 'Demo', website: 'https://evil.example' } } }, 'deny mandate.closed'],
    ['for another amount', { closed: { paymentAmount: { amount: 1n, currency: 'CNY' } } }, 'deny mandate.closed'],
    ['in another currency', { closed: { paymentAmount: { amount: 9900n, currency: 'JPY' } } }, 'deny mandate.closed'],
    ['from another carrier', { closed: { paymentInstrument: { id: 'crr_00000000000000000000000000', type: CARRIER_INSTRUMENT } } }, 'deny mandate.closed'],
    ['over', { closed: { exp: NOW } }, 'deny mandate.closed'],
    ['made in the future', { closed: { iat: NOW + 6 } }, 'deny mandate.closed'],
  ],
  'AP2 constraint': [
    ['amount over max', constraints({ type: 'payment.amount_range', currency: 'CNY', max: 9899n }), 'deny mandate.amount'],
    ['amount at max', constraints({ type: 'payment.amount_range', currency: 'CNY', max: 9900n }), 'permit'],
    ['amount under min', constraints({ type: 'payment.amount_range', currency: 'CNY', min: 9901n, max: 20_000n }), 'deny mandate.amount'],
    ['amount in another currency', constraints({ type: 'payment.amount_range', currency: 'USD', max: 20_000n }), 'deny mandate.amount'],
    ['amount within one range and over another', constraints({ type: 'payment.amount_range', currency: 'CNY', max: 20_000n }, { type: 'payment.amount_range', currency: 'CNY', max: 1n }), 'deny mandate.amount'],
    ['payee of another id', constraints({ type: 'payment.allowed_payees', allowed: [{ id: 'merchant_2', name: 'Demo Flowers' }] }), 'deny mandate.payee'],
    ['payee of another website', constraints({ type: 'payment.allowed_payees', allowed: [{ id: 'merchant_1', name: 'Demo Flowers', website: 'https://other.example' }] }), 'deny mandate.payee'],
    ['payee among none', constraints({ type: 'payment.allowed_payees', allowed: [] }), 'deny mandate.payee'],
    ['payee by id alone', constraints({ type: 'payment.allowed_payees', allowed: [{ id: 'merchant_1', name: 'Demo Flowers' }] }), 'permit'],
    ['instrument of another id', constraints({ type: 'payment.allowed_payment_instruments', allowed: [{ id: 'card', type: CARRIER_INSTRUMENT }] }), 'deny mandate.carrier'],
    ['instrument of another type', constraints({ type: 'payment.allowed_payment_instruments', allowed: [{ id: ids.carrier, type: 'card' }] }), 'deny mandate.carrier'],
    ['date too early', constraints({ type: 'payment.execution_date', not_before: '2026-12-01T00:00:00Z' }), 'deny mandate.expired'],
    ['date too late', constraints({ type: 'payment.execution_date', not_after: '2026-11-01T00:00:00Z' }), 'deny mandate.expired'],
    ['date that is none', constraints({ type: 'payment.execution_date', not_after: 'next week' }), 'deny mandate.expired'],
    ['date with an offset', constraints({ type: 'payment.execution_date', not_after: '2026-12-31T00:00:00+08:00' }), 'permit'],
    ['reference to the order', constraints({ type: 'payment.reference', conditional_transaction_id: sha256('example terms') }), 'permit'],
    ['reference to a checkout nobody has', constraints({ type: 'payment.reference', conditional_transaction_id: sha256('unknown') }), 'confirm decision.confirm_needed'],
  ],
  tier: [
    ['under the policy', { appraisal: { tier: 'T2' }, policy: { minTier: 'T3' } }, 'deny carrier.tier'],
    ['under the carrier', { rules: { minTier: 'T3' } }, 'deny carrier.tier'],
    ['under the level', { appraisal: { tier: 'T1' } }, 'confirm carrier.tier'],
  ],
  carrier: [
    ['absent', { with: { carrier: null } }, 'deny carrier.unknown'],
    ['unknown to the store', { state: { carrier: null } }, 'deny carrier.unknown'],
    ['judged by the state of another carrier', funds({ carrierId: 'crr_00000000000000000000000000' }), 'deny carrier.unknown'],
    ['frozen', funds({ state: 'frozen' }), 'deny carrier.frozen'],
    ['revoked', funds({ state: 'revoked' }), 'deny carrier.revoked'],
    ['expired in the store', funds({ state: 'expired' }), 'deny carrier.expired'],
    ['over', { carrier: { exp: NOW } }, 'deny carrier.expired'],
    ['over by its rules', { rules: { notAfter: NOW } }, 'deny carrier.expired'],
    ['not yet valid by its rules', { rules: { notBefore: NOW + 6 } }, 'deny carrier.expired'],
    ['of an older revision', funds({ rev: 4 }), 'deny carrier.rules'],
    ['of other rules than the mandate names', { mandate: { carrier: { id: ids.carrier, rulesSha256: sha256('other rules') } } }, 'deny carrier.rules'],
    ['not for this agent', { carrier: { agents: ['other'] } }, 'deny carrier.agent'],
    ['payee not listed', { rules: { payees: [] } }, 'deny carrier.payee'],
    ['payee listed at another origin', { rules: { payees: [{ id: 'merchant_1', origin: 'https://other.example', scenario: 'gift.flowers' }] } }, 'deny carrier.payee'],
    ['payee listed without an origin', { rules: { payees: [{ id: 'merchant_1', origin: null, scenario: 'gift.flowers' }] } }, 'deny carrier.payee'],
    ['scenario not permitted', { rules: { scenarios: ['food.delivery'] } }, 'deny carrier.scenario'],
    ['scenario of the directory not permitted', { state: { scenario: 'adult.toys' } }, 'deny carrier.scenario'],
    ['scenario claimed is not what the payee sells', { intent: { scenario: 'food.delivery' } }, 'confirm carrier.scenario'],
    ['scenario not claimed', { intent: { scenario: null } }, 'permit'],
    ['currency is another', { intent: money(100n, 'USD'), open: { constraints: [{ type: 'payment.amount_range', currency: 'USD', max: 100n }] } }, 'deny carrier.currency'],
    ['amount over the limit of one payment', { rules: { perPaymentMax: 9899n } }, 'deny carrier.per_payment'],
    ['amount at the limit of one payment', { rules: { perPaymentMax: 9900n } }, 'permit'],
    ['total would be passed', funds({ spent: 60_000n, reserved: 30_101n }), 'deny carrier.total'],
    ['total would just be reached', funds({ spent: 60_000n, reserved: 30_100n }), 'permit'],
    ['total of the signed rules is lower than the store\'s', { rules: { totalMax: 29_899n } }, 'deny carrier.total'],
    ['total overdrawn already', funds({ spent: 200_000n }), 'deny carrier.total'],
    ['funds are short', funds({ available: 9899n }), 'deny carrier.funds'],
    ['window would be passed', { state: { windows: [{ spent: 50_101n, count: 1 }] } }, 'deny carrier.window'],
    ['window has no payment left', { state: { windows: [{ spent: 0n, count: 5 }] } }, 'deny carrier.window'],
    ['window is not known to the store', { state: { windows: [] } }, 'deny carrier.window'],
    ['hour is another', { rules: { hours: { tz: 'Asia/Shanghai', from: '08:00', to: '09:00' } } }, 'deny carrier.hours'],
    ['hour is right', { rules: { hours: { tz: 'UTC', from: '10:00', to: '16:00' } } }, 'permit'],
    ['hour is right past midnight', { rules: { hours: { tz: 'UTC', from: '22:00', to: '16:00' } } }, 'permit'],
    ['hour of an unknown time zone', { rules: { hours: { tz: 'Mars/Olympus', from: '00:00', to: '23:59' } } }, 'deny carrier.hours'],
    ['amount from which the user confirms', { rules: { confirmAbove: 9900n } }, 'confirm decision.above_confirm'],
    ['amount just under it', { rules: { confirmAbove: 9901n } }, 'permit'],
  ],
  'word of the agent': [
    ['for an exact amount to a listed payee', { intent: { grade: 'C', bound: 'exact' } }, 'permit'],
    ['for an amount up to', { intent: { grade: 'C', bound: 'max' } }, 'confirm decision.grade'],
    ['dressed as the payee\'s in a native request', { intent: { grade: 'A', bound: 'max' } }, 'confirm decision.grade'],
    ['replaced by the payee\'s', { intent: { protocol: 'acp', grade: 'A', bound: 'max' } }, 'permit'],
  ],
};

it('permits the payment that all rows below change', () => {
  expect(rule()).toMatchObject({ decision: 'permit', level: 'L3', code: null, findings: [], obligations: ['receipt', 'notify_user'] });
});

describe.each(Object.entries(ROWS))('%s', (_, rows) => {
  it.each(rows)('%s', (__, changes, expected) => expect(outcome(changes)).toBe(expected));
});

describe('a ruling', () => {
  it('holds every check, so that one denial does not hide another', () => {
    const { checks } = rule({ intent: money(1_000_000n), rules: { payees: [] } });
    const denied = checks.filter(({ result }) => result === 'deny').map(({ code }) => code);
    expect(denied).toEqual(['mandate.amount', 'carrier.payee', 'carrier.per_payment', 'carrier.total', 'carrier.funds', 'carrier.window']);
    expect(checks.map(({ check }) => check)).toEqual(RULES.filter(({ needs }) => !needs.includes('offline')).map(({ name }) => name).filter((name) => name !== 'confirmation'));
  });

  it('has a name for each check, once', () => {
    expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
  });

  it('says first what decided, then the rest, each once', () => {
    const { findings, code } = rule({ appraisal: contraindicated, rules: { payees: [] } });
    expect(findings.map((one) => one.code)).toEqual(['agent.drift', 'carrier.payee', 'decision.grade']);
    expect(code).toBe('agent.drift');
  });

  it('denies when a confirmation would be needed too: the worst answer wins', () => {
    expect(outcome({ rules: { confirmAbove: 0n, perPaymentMax: 1n } })).toBe('deny carrier.per_payment');
  });

  it('tells the user of an agent that is not what it should be, though nothing was paid', () => {
    expect(rule({ appraisal: contraindicated }).obligations).toEqual(['notify_user']);
    expect(rule({ rules: { perPaymentMax: 1n } }).obligations).toEqual([]);
  });

  it('is the same for the same input', () => expect(rule({ rules: { confirmAbove: 0n } })).toEqual(rule({ rules: { confirmAbove: 0n } })));
});

describe('the device\'s own check', () => {
  const check = (changes: Changes) => {
    const { intent, mandate: held, carrier, nowMs } = input(changes);
    return precheck({ intent, mandate: held!, carrier: carrier!, nowMs }).map(({ code }) => code);
  };

  it('finds nothing against a good payment', () => expect(check({})).toEqual([]));
  it('finds what the verifier would find in mandate and carrier', () => {
    expect(check({ intent: money(1_000_000n), rules: { payees: [] } })).toEqual(['mandate.amount', 'carrier.payee', 'carrier.scenario_unknown', 'carrier.per_payment', 'decision.grade', 'decision.above_confirm']);
    expect(check({ mandate: { level: 'L2' } })).toEqual(['decision.confirm_needed']);
  });
});
