/**
 * Offline payments: the rows that stand for everything an allowance has settled ahead. The device asks them before it answers its agent, the verifier when
 * the payment is brought, an auditor ever after. What moves online (funds, windows, uses, states) was reserved when the allowance was issued and is not asked
 * again; nobody can be asked to confirm afterwards, so whatever would have waited for the user is a no.
 */
import { finding } from '../base/fault.js';
import { format } from '../money.js';
import { TIERS, atLeast } from '../names.js';
import type { OfflineAllowance } from '../objects/allowance.js';
import type { AllowanceState } from '../objects/carrier.js';
import { deny, note, rule, seconds } from './facts.js';

/** `made`: the TPM's counter and clock (ms) that were signed with the payment; null before it is signed. `receivedMs`: when it was brought; null on the device. */
export interface OfflineFacts {
  readonly allowance: OfflineAllowance;
  readonly state: AllowanceState;
  readonly made: { readonly ctr: bigint; readonly clock: bigint } | null;
  readonly receivedMs: number | null;
}

/** The TPM's clock may run 15 % fast (Part 1 section 36.3), and was last seen a while before the allowance was issued. */
const CLOCK_SLACK_MS = 300_000n;
const livedMs = ({ iat, exp }: OfflineAllowance): bigint => (BigInt(exp - iat) * 1150n) + CLOCK_SLACK_MS;

export const OFFLINE_RULES = [
  rule('offline.subject', ['offline', 'mandate', 'carrier'], ({ offline: { allowance }, mandate, carrier }) => {
    const same = { mandate: allowance.mandateId === mandate.jti, carrier: allowance.carrierId === carrier.jti && allowance.carrierRev === carrier.rev, 'agent key': allowance.cnf.jwk.x === mandate.cnf.jwk.x && allowance.cnf.jwk.y === mandate.cnf.jwk.y };
    const other = Object.entries(same).find(([, equal]) => !equal);
    return other ? deny(finding('offline.other', { what: other[0] })) : null;
  }),
  /** By the clock of the device, which its owner sets, and by the TPM's, which the owner can only stop by stopping the machine. */
  rule('offline.life', ['offline'], (facts) => {
    const { allowance, made } = facts.offline;
    const within = allowance.iat <= seconds(facts) + 5 && seconds(facts) < allowance.exp;
    return within && (made === null || made.clock - allowance.clockBase <= livedMs(allowance)) ? null : deny(finding('offline.expired'));
  }),
  rule('offline.received', ['offline'], ({ offline: { allowance, receivedMs } }) => (receivedMs === null || receivedMs < allowance.uploadUntil * 1000 ? null : deny(finding('offline.late')))),
  rule('offline.counter', ['offline'], ({ offline: { allowance, state, made } }) => {
    if (made === null) return null;
    if (state.ctrEnd !== null && made.ctr >= state.ctrEnd) return deny(finding('offline.closed', { ctr: made.ctr, end: state.ctrEnd }));
    const last = state.ctrLast > allowance.ctrBase ? state.ctrLast : allowance.ctrBase;
    if (made.ctr <= last) return deny(finding('ctr.not_increased', { seen: made.ctr, last }));
    return made.ctr === last + 1n ? null : note(finding('ctr.gap', { missing: made.ctr - last - 1n, ctr: made.ctr }));
  }),
  rule('offline.count', ['offline'], ({ offline: { allowance: { maxCount: max, ctrBase }, state, made } }) => {
    const within = state.count < max && (made === null || made.ctr - ctrBase <= BigInt(max));
    return within ? null : deny(finding('offline.count', { max }));
  }),
  rule('offline.total', ['offline'], ({ offline: { allowance: { maxTotal, currency }, state }, intent: { amount } }) => {
    const left = maxTotal - state.spent;
    return amount.amount <= left ? null : deny(finding('offline.total', { amount: format(amount), left: format({ amount: left, currency }) }));
  }),
  rule('offline.per_payment', ['offline'], ({ offline: { allowance: { perPaymentMax, currency } }, intent: { amount } }) =>
    (amount.amount > 0n && amount.currency === currency && amount.amount <= perPaymentMax ? null : deny(finding('offline.per_payment', { amount: format(amount), max: format({ amount: perPaymentMax, currency }) })))),
  rule('offline.payee', ['offline'], ({ offline: { allowance }, intent: { payee, scenario } }) => {
    const known = allowance.payees.find(({ id, origin }) => id === payee.id && origin === payee.origin);
    return known && (scenario === null || scenario === known.scenario) ? null : deny(finding('offline.payee', { payee: payee.id }));
  }),
  rule('offline.bound', ['offline'], ({ intent: { bound, captureUntil } }) => (bound === 'exact' && captureUntil === null ? null : deny(finding('offline.bound')))),
  rule('offline.tier', ['offline', 'appraisal'], ({ appraisal: { tier } }) => (atLeast(TIERS, tier, OFFLINE_TIER) ? null : deny(finding('carrier.tier', { tier, min: OFFLINE_TIER })))),
];

/** Without a verifier to ask, only a counter and a register that a known maker's TPM certifies are worth anything. */
export const OFFLINE_TIER = 'T2';
