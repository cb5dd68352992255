/** When the user is asked, and what counts as her answer. */
import { finding } from '../base/fault.js';
import { listed } from '../objects/carrier.js';
import type { Confirmation, Policy } from '../objects/decision.js';
import { ABOVE_CONFIRM } from './carrier.js';
import { type Facts, type Verdict, confirm, doubt, rule, seconds } from './facts.js';
import { LEVEL_ROWS } from './levels.js';

/**
 * Grade C: payee and amount are only the word of the agent, as in every native request. That is enough when nothing rests on this word: the payee stands, with its origin, in
 * the carrier's signed list, and the amount is exact. Then the execution token moves exactly this amount to exactly this payee's account, whatever
 * the agent believes or was talked into; no more can be taken than the user's own bounds allow. With `max`, or for a payee that only a
 * directory knows, the payee's own terms are missing: there is doubt.
 */
const GRADE = rule('intent.grade', ['carrier'], ({ intent, carrier: { rules } }) => {
  const toldByAgent = intent.grade === 'C' || intent.protocol === 'native';
  const vouched = !toldByAgent || (intent.bound === 'exact' && listed(rules, intent.payee) !== undefined);
  return vouched ? null : doubt(finding('decision.grade'));
});

/** ACT's instant mode, and every level whose approver is the user. */
const APPROVER = rule('approval', ['mandate', 'level'], ({ mandate, level }) => {
  if (LEVEL_ROWS[level].approver === 'user') return confirm(finding('decision.confirm_needed', { why: `at level ${level} the user approves each payment` }));
  return mandate.mode === 'instant' ? confirm(finding('decision.confirm_needed', { why: 'the mandate is for instant payments' })) : null;
});

/** A confirmation that is not for this payment is no harm, and a sign that something is not as it seems. */
const CONFIRMATION = rule('confirmation', ['confirmation', 'policy'], (facts) => refusal(facts, facts.confirmation, facts.policy));

export const CONSENT_RULES = [APPROVER, GRADE, ABOVE_CONFIRM, CONFIRMATION];

/** True when the user confirmed exactly this payment, and lately. Her signature was verified when the confirmation was opened. */
export const consented = (facts: Facts): boolean => facts.confirmation !== undefined && facts.policy !== undefined && refusal(facts, facts.confirmation, facts.policy) === null;

function refusal(facts: Facts, given: Confirmation, { confirmationMaxS }: Policy): Verdict {
  const now = seconds(facts);
  if (now + 5 < given.iat || now >= given.exp || now >= given.iat + confirmationMaxS) return confirm(finding('confirm.expired'));
  const { intent, paymentSha256, mandate } = facts;
  const differs = Object.entries({
    payment: given.paymentSha256 === paymentSha256,
    terms: given.termsSha256 === intent.order.termsSha256,
    amount: given.amount.amount === intent.amount.amount && given.amount.currency === intent.amount.currency,
    payee: given.payee.id === intent.payee.id && given.payee.origin === intent.payee.origin,
    user: given.sub === mandate?.sub,
  }).find(([, equal]) => !equal);
  return differs ? confirm(finding('confirm.mismatch', { what: differs[0] })) : null;
}
