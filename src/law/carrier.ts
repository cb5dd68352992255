/** The hard rules of the fund carrier, and what it still holds. Amounts are minor units of its currency. */
import { Recent } from '../base/recent.js';
import { finding } from '../base/fault.js';
import { format } from '../money.js';
import { type CarrierRules, listed } from '../objects/carrier.js';
import { type Facts, type Known, alive, confirm, deny, doubt, rule } from './facts.js';
import { asKnown } from './tighter.js';

const inCurrency = ({ carrier, intent }: Known<'carrier'>, amount: bigint) => ({ amount: format(intent.amount), max: format({ amount, currency: carrier.currency }) });
const left = ({ carrier, intent }: Known<'carrier'>, amount: bigint) => ({ amount: format(intent.amount), left: format({ amount: amount < 0n ? 0n : amount, currency: carrier.currency }) });

const STANDING = [
  rule('carrier', ['appraisal'], ({ carrier, funds, offline, intent }) =>
    (carrier && (offline?.allowance ?? funds)?.carrierId === carrier.jti ? null : deny(finding('carrier.unknown', { carrier: intent.carrierId ?? 'none' })))),
  rule('carrier.state', ['funds'], ({ funds: { state } }) => (state === 'active' ? null : deny(finding(`carrier.${state}`)))),
  rule('carrier.life', ['carrier'], (facts) => {
    const { carrier, carrier: { rules } } = facts;
    return alive(facts, carrier.nbf, carrier.exp) && alive(facts, rules.notBefore, rules.notAfter) ? null : deny(finding('carrier.expired'));
  }),
  /** The newest revision, and none in it is looser than the rules that the user had before her when she signed the mandate. */
  rule('carrier.rules', ['mandate', 'carrier', 'revisions'], ({ mandate, carrier, revisions, funds }) => {
    const newest = funds === undefined || funds.rev === carrier.rev;
    return newest && asKnown(mandate.carrier.rulesSha256, carrier, revisions) ? null : deny(finding('carrier.rules'));
  }),
  rule('carrier.agent', ['mandate', 'carrier'], ({ mandate, carrier }) => (carrier.agents.includes(mandate.agent.id) ? null : deny(finding('carrier.agent')))),
];

const WHOM = [
  rule('carrier.payee', ['carrier'], ({ carrier: { rules }, intent: { payee } }) => (listed(rules, payee) ? null : deny(finding('carrier.payee', { payee: payee.id })))),
  /** Every word about what the payee sells must be permitted: the carrier's list, the issuer's directory. The request's own claim only raises doubt. */
  rule('carrier.scenario', ['carrier'], ({ carrier: { rules }, intent, state }) => {
    const vouched = [listed(rules, intent.payee)?.scenario, state?.scenario].filter((one) => typeof one === 'string');
    const foreign = vouched.find((scenario) => !rules.scenarios.includes(scenario));
    if (foreign !== undefined) return deny(finding('carrier.scenario', { scenario: foreign }));
    if (vouched.length === 0) return doubt(finding('carrier.scenario_unknown', { payee: intent.payee.id }));
    return intent.scenario === null || vouched.includes(intent.scenario) ? null : doubt(finding('carrier.scenario', { scenario: intent.scenario }));
  }),
];

const HOW_MUCH = [
  rule('carrier.currency', ['carrier'], ({ carrier: { currency }, intent: { amount } }) =>
    (amount.currency === currency ? null : deny(finding('carrier.currency', { carrier: currency, payment: amount.currency })))),
  rule('carrier.per_payment', ['carrier'], (facts) => {
    const { carrier: { rules }, intent } = facts;
    return intent.amount.amount <= rules.perPaymentMax ? null : deny(finding('carrier.per_payment', inCurrency(facts, rules.perPaymentMax)));
  }),
  rule('carrier.total', ['carrier', 'funds'], (facts) => {
    const { carrier: { rules }, funds, intent } = facts;
    const total = rules.totalMax < funds.totalMax ? rules.totalMax : funds.totalMax;
    const rest = total - funds.spent - funds.reserved;
    return intent.amount.amount <= rest ? null : deny(finding('carrier.total', left(facts, rest)));
  }),
  rule('carrier.funds', ['carrier', 'funds'], (facts) =>
    (facts.intent.amount.amount <= facts.funds.available ? null : deny(finding('carrier.funds', left(facts, facts.funds.available))))),
  rule('carrier.window', ['carrier', 'state'], ({ carrier: { rules }, state: { windows }, intent: { amount } }) => {
    const full = rules.windows.find(({ max, count }, i) => {
      const used = windows[i];
      return used === undefined || used.spent + amount.amount > max || used.count >= count;
    });
    return full ? deny(finding('carrier.window', { period: full.period })) : null;
  }),
  rule('carrier.hours', ['carrier'], (facts) => (withinHours(facts.carrier.rules.hours, facts) ? null : deny(finding('carrier.hours')))),
];

/** Making one costs as much as four signature checks. */
const clocks = new Recent<Intl.DateTimeFormat>(64);
/** @throws RangeError for an unknown time zone */
function clockOf(timeZone: string): Intl.DateTimeFormat {
  const clock = clocks.get(timeZone) ?? new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  clocks.set(timeZone, clock, 1);
  return clock;
}

/** From `from` up to, not including, `to`; past midnight when `to` is the earlier. An unknown time zone has no hours. */
function withinHours(hours: CarrierRules['hours'], { nowMs }: Facts): boolean {
  if (hours === null) return true;
  try {
    const clock = clockOf(hours.tz).format(nowMs);
    const after = clock >= hours.from;
    const before = clock < hours.to;
    return hours.from <= hours.to ? after && before : after || before;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The step from "may" to "ask": from this amount on the user confirms. */
export const ABOVE_CONFIRM = rule('carrier.confirm_above', ['carrier'], (facts) => {
  const { carrier: { rules }, intent } = facts;
  if (intent.amount.amount < rules.confirmAbove) return null;
  const { amount, max: above } = inCurrency(facts, rules.confirmAbove);
  return confirm(finding('decision.above_confirm', { amount, above }));
});

/** Money is held for a payee no longer than the rules live that hold it. */
const HOLD = rule('carrier.hold', ['carrier'], ({ carrier: { exp, rules }, intent: { captureUntil } }) =>
  (captureUntil === null || captureUntil <= Math.min(exp, rules.notAfter) ? null : deny(finding('carrier.hold'))));

export const CARRIER_RULES = [...STANDING, ...WHOM, ...HOW_MUCH, HOLD];
