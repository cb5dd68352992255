/** AP2's constraints (v0.2, specification section "Constraints"), each a check. All constraints of an open mandate hold together. */
import { finding } from '../base/fault.js';
import { CARRIER_INSTRUMENT, type Constraint } from '../objects/mandate.js';
import { format } from '../money.js';
import { type Known, type Verdict, deny, doubt, rule } from './facts.js';

type Bound = Known<'mandate'>;
type Checks = { readonly [T in Constraint['type']]: (constraint: Extract<Constraint, { type: T }>, facts: Bound) => Verdict };

const CHECKS: Checks = {
  'payment.amount_range': ({ currency, min, max }, { intent: { amount } }) => {
    const within = amount.currency === currency && amount.amount <= max && amount.amount >= (min ?? 0n);
    return within ? null : deny(finding('mandate.amount', { amount: format(amount), max: format({ amount: max, currency }) }));
  },
  'payment.allowed_payees': ({ allowed }, { intent: { payee } }) => {
    const among = allowed.some(({ id, website }) => id === payee.id && (website === undefined || website === payee.origin));
    return among ? null : deny(finding('mandate.payee', { payee: payee.id }));
  },
  'payment.allowed_payment_instruments': ({ allowed }, { intent: { carrierId } }) => {
    const among = allowed.some(({ id, type }) => id === carrierId && type === CARRIER_INSTRUMENT);
    return among ? null : deny(finding('mandate.carrier', { carrier: carrierId ?? 'none' }));
  },
  'payment.execution_date': ({ not_before, not_after }, { nowMs }) => {
    const [from, until] = [instant(not_before, -Infinity), instant(not_after, Infinity)];
    return nowMs >= from && nowMs <= until ? null : deny(finding('mandate.expired'));
  },
  /** AP2 ties a payment to an open checkout mandate. What takes its place here is the task text that the same user signed, or the order itself. */
  'payment.reference': ({ conditional_transaction_id: reference }, { mandate, intent }) => {
    const resolved = reference === mandate.task.textSha256 || reference === intent.order.termsSha256;
    return resolved ? null : doubt(finding('decision.confirm_needed', { why: 'the mandate refers to a checkout that is not known here' }));
  },
};

/** RFC 3339 date-time to ms. Anything else is not a time, and no time lies on the right side of NaN: the check denies. */
function instant(text: string | undefined, absent: number): number {
  if (text === undefined) return absent;
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
}

export const AP2_RULES = Object.entries(CHECKS).map(([type, check]) => rule(type, ['mandate', 'open'], (facts) => {
  const verdicts = facts.open.constraints.filter((one) => one.type === type).map((one) => check(one as never, facts));
  return verdicts.find((verdict) => verdict?.result === 'deny') ?? verdicts.find((verdict) => verdict !== null) ?? null;
}));
