/** What an offline allowance may be for, when it is issued: never more than the payments would have been allowed online at this moment, all of them together. */
import { OFFLINE_PAYMENTS_MAX, type OfflineAllowance } from '../objects/allowance.js';
import type { AuthorityState, Carrier, CarrierRules, PayeeRule } from '../objects/carrier.js';
import type { Policy } from '../objects/decision.js';
import type { Constraint, Mandate, OpenPayment } from '../objects/mandate.js';
import { LEVEL_ROWS, effectiveLevel, maxPayments } from './levels.js';
import { TIERS, atLeast } from '../names.js';
import { OFFLINE_TIER } from './offline.js';

export interface AllowanceInput {
  readonly mandate: Mandate;
  readonly open: OpenPayment;
  readonly carrier: Carrier;
  /** As it stands now: what other allowances hold is among its numbers. */
  readonly state: AuthorityState;
  /** What unended allowances of this carrier hold. */
  readonly held: { readonly count: number; readonly total: bigint };
  /** What the directory says of a payee; null when it does not know it. */
  readonly scenarioOf: (payee: PayeeRule) => string | null;
  readonly policy: Pick<Policy, 'levels' | 'minTier'>;
  readonly nowS: number;
}
export type AllowanceTerms = Pick<OfflineAllowance, 'maxCount' | 'maxTotal' | 'perPaymentMax' | 'payees' | 'exp' | 'uploadUntil'>;
/** `refused`: why none is given, in words. */
export type AllowanceRuling = { readonly terms: AllowanceTerms } | { readonly refused: string };

/** How long a terminal may be away and still pay, and how much longer its payments are waited for, s. */
export const ALLOWANCE_LIFE_S = 86_400;
export const UPLOAD_GRACE_S = 604_800;
/** Refused where less than this of a life is left. */
const SHORTEST_LIFE_S = 60;

const least = (...amounts: bigint[]): bigint => amounts.reduce((a, b) => (a < b ? a : b));

export function allowanceTerms(input: AllowanceInput): AllowanceRuling {
  const { carrier: { rules, exp }, mandate, open, nowS } = input;
  if (rules.offline === null) return { refused: 'the carrier does not permit offline payments' };
  const why = standing(input);
  if (why !== null) return { refused: why };
  const end = Math.min(nowS + ALLOWANCE_LIFE_S, mandate.exp, open.exp, exp, rules.notAfter);
  if (end < nowS + SHORTEST_LIFE_S) return { refused: 'mandate or carrier end too soon' };
  const maxTotal = amountOf(input, rules.offline);
  const maxCount = countOf(input, rules.offline);
  const perPaymentMax = least(maxTotal, rules.perPaymentMax, rules.confirmAbove - 1n, ...open.constraints.flatMap((one) => (one.type === 'payment.amount_range' ? [one.max] : [])));
  const payees = payeesOf(input);
  if (maxTotal <= 0n || maxCount <= 0 || perPaymentMax <= 0n) return { refused: 'nothing is left for it' };
  if (payees.length === 0) return { refused: 'no payee is permitted' };
  return { terms: { maxCount, maxTotal, perPaymentMax, payees, exp: end, uploadUntil: end + UPLOAD_GRACE_S } };
}

/** Why this mandate on this carrier pays nothing by itself; null when it does. */
function standing({ mandate, carrier, state, policy, nowS }: AllowanceInput): string | null {
  const level = effectiveLevel(mandate.level, carrier.rules.levels, policy.levels);
  if (level !== mandate.level || LEVEL_ROWS[level].approver === 'user' || mandate.mode === 'instant') return 'the user approves each payment';
  const tooHigh = [carrier.rules.minTier, policy.minTier, LEVEL_ROWS[level].minTier].find((tier) => tier !== null && !atLeast(TIERS, OFFLINE_TIER, tier));
  if (tooHigh) return `tier ${tooHigh} is asked for, and offline no more than ${OFFLINE_TIER} is shown`;
  if (state.carrier?.state !== 'active' || state.carrier.rev !== carrier.rev) return 'the carrier is not active';
  if (state.mandate?.state !== 'valid' || nowS < mandate.nbf) return 'the mandate is not valid';
  return carrier.agents.includes(mandate.agent.id) ? null : 'the agent is not among those of the carrier';
}

function amountOf({ carrier: { rules }, state: { carrier, windows }, held }: AllowanceInput, offline: NonNullable<CarrierRules['offline']>): bigint {
  const { available = 0n, spent = 0n, reserved = 0n } = carrier ?? {};
  return least(offline.maxTotal - held.total, available, rules.totalMax - spent - reserved, ...rules.windows.map(({ max }, i) => max - (windows[i]?.spent ?? max)));
}

function countOf({ carrier: { rules }, state: { mandate: used, windows }, held, mandate }: AllowanceInput, offline: NonNullable<CarrierRules['offline']>): number {
  const payments = maxPayments(mandate.level, mandate.task.maxPayments);
  const uses = payments === null ? OFFLINE_PAYMENTS_MAX : payments - (used?.uses ?? payments);
  return Math.min(OFFLINE_PAYMENTS_MAX, offline.maxCount - held.count, uses, ...rules.windows.map(({ count }, i) => count - (windows[i]?.count ?? count)));
}

const names = (constraint: Constraint, payee: PayeeRule): boolean =>
  constraint.type !== 'payment.allowed_payees' || constraint.allowed.some(({ id, website }) => id === payee.id && (website === undefined || website === payee.origin));

/** Payees of the carrier's list that the mandate names too, and whose scenario nobody contradicts. */
const payeesOf = ({ carrier: { rules }, open, scenarioOf }: AllowanceInput): PayeeRule[] => rules.payees.filter((payee) => {
  const scenario = scenarioOf(payee);
  return rules.scenarios.includes(payee.scenario) && (scenario === null || scenario === payee.scenario) && open.constraints.every((one) => names(one, payee));
}).slice(0, 64);
