/** A tighter mandate out of another: the same user, agent version, key, carrier and task, and no limit wider than before. */
import { sha256 } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { LEVELS, type Level } from '../names.js';
import type { Constraint, Mandate, OpenPayment } from '../objects/mandate.js';
import type { OpenedMandate } from '../sdjwt/index.js';
import { maxPayments } from './levels.js';

/** What is to be tighter; what is not said stays. `exp` in seconds. */
export interface Narrowing {
  readonly maxAmount?: bigint | undefined;
  readonly payees?: readonly string[] | undefined;
  readonly maxPayments?: number | undefined;
  readonly exp?: number | undefined;
  readonly level?: Level | undefined;
  readonly summary?: string | undefined;
}

/** What a user signs: a mandate without what signing adds, and its AP2 part. */
export interface MandateDraft { readonly value: Omit<Mandate, 'delegatePayload' | '_sdAlg' | 'vct'>; readonly open: OpenPayment }

const assertNarrower = (ok: boolean, what: string): void => { if (!ok) throw fault('mandate.wider', { what }); };

/**
 * @param currency of the carrier, for a first limit on the amount
 * @throws Fault mandate.wider naming the limit that would be wider
 */
export function narrow({ mandate: { value }, open }: OpenedMandate, wish: Narrowing, { iat, currency }: { iat: number; currency: string }): MandateDraft {
  const { vct: _, delegatePayload: __, _sdAlg: ___, status: ____, ...before } = value;
  const exp = wish.exp ?? value.exp;
  const level = wish.level ?? value.level;
  const payments = maxPayments(value.level, value.task.maxPayments);
  assertNarrower(exp <= value.exp, 'its end');
  assertNarrower(LEVELS.indexOf(level) <= LEVELS.indexOf(value.level), 'its level');
  assertNarrower(wish.maxPayments === undefined || payments === null || wish.maxPayments <= payments, 'the number of payments');
  const task = { ...value.task, maxPayments: wish.maxPayments ?? value.task.maxPayments, ...(wish.summary !== undefined && { summary: wish.summary, textSha256: sha256(wish.summary) }) };
  return {
    value: { ...before, iat, nbf: Math.max(iat, value.nbf), exp, level, mode: level < 'L3' ? 'instant' : value.mode, task },
    open: { ...open, iat, exp: Math.min(exp, open.exp), constraints: payeesWithin(amountWithin(open.constraints, wish.maxAmount, currency), wish.payees) },
  };
}

function amountWithin(constraints: readonly Constraint[], max: bigint | undefined, currency: string): Constraint[] {
  if (max === undefined) return [...constraints];
  const known = constraints.filter((one) => one.type === 'payment.amount_range');
  assertNarrower(known.every((one) => max <= one.max), 'the amount of one payment');
  if (known.length === 0) return [...constraints, { type: 'payment.amount_range', currency, max }];
  return constraints.map((one) => (one.type === 'payment.amount_range' ? { ...one, max } : one));
}

function payeesWithin(constraints: readonly Constraint[], payees: readonly string[] | undefined): Constraint[] {
  if (payees === undefined) return [...constraints];
  const known = constraints.filter((one) => one.type === 'payment.allowed_payees');
  assertNarrower(known.every(({ allowed }) => payees.every((payee) => allowed.some(({ id }) => id === payee))), 'the payees');
  if (known.length === 0) return [...constraints, { type: 'payment.allowed_payees', allowed: payees.map((id) => ({ id, name: id })) }];
  return constraints.map((one) => (one.type === 'payment.allowed_payees' ? { ...one, allowed: one.allowed.filter(({ id }) => payees.includes(id)) } : one));
}
