/** A permitted payment as the store kept it, and row 12 of a payment: the execution token, which carries the proof that its decision is deposited. */
import { fault } from '../src/base/fault.js';
import { parse } from '../src/base/shape.js';
import { DECISION, type Decision } from '../src/objects/decision.js';
import { EAR } from '../src/objects/ear.js';
import { type Intent, intent as intentShape } from '../src/objects/intent.js';
import { EXECUTION_TOKEN, type ExecutionToken } from '../src/objects/settlement.js';
import { open, seal, type Verified } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';
import { decisionEvent } from './events.js';
import type { Deposited } from './log.js';
import type { AttemptRow, PaymentRow, Redeem } from './store/verbs.js';

const TOKEN_LIFE_S = 120;

/** A permitted payment with everything that its token, receipt and leaf name. */
export interface Permitted { readonly payment: PaymentRow; readonly attempt: AttemptRow; readonly intent: Intent; readonly decision: Verified<Decision> }

/** @throws Fault intake.not_found when the payment was not permitted */
export async function permittedOf(v: Verifier, payment: PaymentRow): Promise<Permitted> {
  const attempt = (await v.store.attempts(payment.paymentId)).find(({ decisionKind }) => decisionKind === 'permit');
  if (!attempt) throw fault('intake.not_found', { what: `permit of payment ${payment.paymentId}` });
  return { payment, attempt, intent: parse(intentShape, payment.intent), decision: open(DECISION, attempt.decision, v.trust.keys) };
}

export const depositPermit = (v: Verifier, { attempt }: Permitted): Promise<Deposited> => v.log.deposit(decisionEvent(attempt.decision, attempt.decidedMs));

/** A token as it stands in the store; `redeem` is what this very call has begun with it. */
export interface Released { readonly token: Verified<ExecutionToken>; readonly redeem: Redeem | null }

/**
 * The first token of a payment is the only one. `redeeming`: what is to become of it in the same transaction.
 * @throws Fault token.expired, deposit.unavailable
 */
export async function release(v: Verifier, permitted: Permitted, leaf: Deposited, redeeming: (token: Verified<ExecutionToken>) => Promise<Redeem | null>): Promise<Released> {
  const { paymentId } = permitted.payment;
  const before = await v.store.executionToken(paymentId);
  if (before) return { token: open(EXECUTION_TOKEN, before.token, v.trust.keys), redeem: null };
  const reservation = await v.store.reservation(paymentId);
  if (!reservation || permitted.decision.value.exp * 1000 <= v.now()) throw fault('token.expired');
  const value = tokenOf(v, permitted, leaf.proof, reservation);
  const token = open(EXECUTION_TOKEN, seal(EXECUTION_TOKEN, value, v.keys.carrier), v.trust.keys);
  const redeem = await redeeming(token);
  const first = await v.store.releaseToken({
    jti: value.jti, paymentId, reservationId: reservation.reservationId, leafIdx: leaf.stored.idx, token: token.token, expiresMs: value.exp * 1000, redeem,
  });
  return first === token.token ? { token, redeem } : { token: open(EXECUTION_TOKEN, first, v.trust.keys), redeem: null };
}

function tokenOf(v: Verifier, { payment, attempt, intent, decision }: Permitted, proof: string, { reservationId, carrierId }: { reservationId: string; carrierId: string }): ExecutionToken {
  const iat = Math.floor(v.now() / 1000);
  const { paymentSha256, closedSha256 } = decision.value.inputs;
  if (closedSha256 === null) throw fault('mandate.closed', { what: 'it is missing' });
  const { payee, amount, bound, captureUntil } = intent;
  return {
    iss: v.config.issuers.carrier, aud: v.config.issuers.settlement, jti: freshId(v, 'tok'), iat, exp: iat + TOKEN_LIFE_S,
    carrierId, reservationId, payee, amount, bound, captureUntil, paymentId: payment.paymentId,
    paymentSha256, decisionSha256: decision.sha256, closedSha256, cnf: { jkt: open(EAR, attempt.ear, v.trust.keys).value.cnf.jkt }, proof,
  };
}
