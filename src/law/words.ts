/** What machines check, in words for people. Nothing is decided by these words: whoever signs or reads them sees beside them the limits they stand for. */
import type { Constraint } from '../objects/mandate.js';
import type { Carrier } from '../objects/carrier.js';
import type { Level, Tier } from '../names.js';
import { format } from '../money.js';
import type { OpenedMandate } from '../sdjwt/index.js';
import { LEVEL_ROWS, maxPayments } from './levels.js';

/** An instant as people read it, to the second, in UTC. */
export const instant = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');

const list = (names: readonly string[]): string => (names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)!}` : (names[0] ?? 'nobody'));

/** Who begins and who approves a payment of a level. */
export function levelInWords(level: Level): string {
  const { starter, approver, task } = LEVEL_ROWS[level];
  const begins = { user: 'the user begins each payment', 'agent suggests': 'the agent suggests each payment', agent: 'the agent begins payments by itself' }[starter];
  const approves = { user: 'the user approves each one', system: 'the verifier approves it when it fits the mandate', rules: 'the rules approve it' }[approver];
  return `${level}: ${begins} and ${approves}${task ? ', within one task' : ''}`;
}

const TIER_WORDS: Record<Tier, string> = {
  T0: 'a key in software, no TPM',
  T1: 'a TPM that no maker vouches for',
  T2: 'a TPM whose maker is known, a fresh quote and a certified measurement register',
  T3: 'the same, and the whole start of the machine and the sidecar itself measured',
  T4: 'the same, in a machine that is itself encrypted or locked down',
};
export const tierInWords = (tier: Tier): string => `${tier}: ${TIER_WORDS[tier]}`;

const CONSTRAINTS: { readonly [T in Constraint['type']]: (constraint: Extract<Constraint, { type: T }>) => string } = {
  'payment.amount_range': ({ currency, min, max }) => `at most ${format({ amount: max, currency })} for one payment${min === undefined || min === 0n ? '' : `, at least ${format({ amount: min, currency })}`}`,
  'payment.allowed_payees': ({ allowed }) => `only to ${list(allowed.map(({ id, website }) => (website === undefined ? id : `${id} (${website})`)))}`,
  'payment.allowed_payment_instruments': ({ allowed }) => `only from ${list(allowed.map(({ id }) => id))}`,
  'payment.execution_date': ({ not_before: from, not_after: to }) => `only ${[from === undefined ? '' : `from ${from}`, to === undefined ? '' : `until ${to}`].filter((part) => part !== '').join(' ') || 'at any time'}`,
  'payment.reference': ({ conditional_transaction_id: reference }) => `only for the order ${reference}`,
};

/** The limits of a mandate, each as it is checked. The summary is the user's own words and is not among them. */
export function mandateLimits({ mandate: { value }, open }: OpenedMandate): string[] {
  const payments = maxPayments(value.level, value.task.maxPayments);
  return [
    `${value.agent.id}, version ${value.agent.version}, and no other program`,
    ...open.constraints.map((constraint) => CONSTRAINTS[constraint.type](constraint as never)),
    payments === null ? 'any number of payments' : payments === 1 ? 'one payment' : `at most ${payments} payments`,
    ...(value.task.id === null ? [] : [`only for the task ${value.task.id}`]),
    `from ${instant(value.nbf)} until ${instant(value.exp)}`,
    levelInWords(value.level),
    `by the rules of ${value.carrier.id} as they were when the user signed, or tighter`,
  ];
}

/** The rules of a carrier that bound a payment. */
export function carrierLimits({ currency, rules }: Carrier): string[] {
  const money = (amount: bigint): string => format({ amount, currency });
  return [
    `at most ${money(rules.perPaymentMax)} for one payment and ${money(rules.totalMax)} in all`,
    ...rules.windows.map(({ period, max, count }) => `at most ${money(max)} in ${count} payments within ${PERIODS[period]}`),
    `only to ${list(rules.payees.map(({ id, scenario }) => `${id} (${scenario})`))}`,
    rules.confirmAbove === 0n ? 'the user confirms each payment' : `the user confirms from ${money(rules.confirmAbove)} on`,
    `a device that proves at least tier ${rules.minTier}`,
    ...(rules.hours === null ? [] : [`only from ${rules.hours.from} to ${rules.hours.to} (${rules.hours.tz})`]),
  ];
}
const PERIODS: Record<Carrier['rules']['windows'][number]['period'], string> = { PT1H: 'an hour', P1D: 'a day', P7D: 'seven days', P30D: 'thirty days' };
