/**
 * From a permitted payment to its receipt: rows 11 to 14 of a payment. The same path runs at once and after a crash: each step first looks for what an
 * earlier run of it left, and a rail that may have been asked is asked for the outcome, never to pay again.
 */
import { asFault, fault } from '../src/base/fault.js';
import { parse } from '../src/base/shape.js';
import type { Code } from '../src/codes.js';
import { DECISION, type Decision } from '../src/objects/decision.js';
import { EAR } from '../src/objects/ear.js';
import { type Intent, intent as intentShape } from '../src/objects/intent.js';
import { EXECUTION_TOKEN, type ExecutionToken, type Receipt, RECEIPT } from '../src/objects/settlement.js';
import { open, seal, tokenHash, type Verified } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';
import { decisionEvent, resultEvent } from './events.js';
import { leafDraft } from './leaves.js';
import type { Deposited } from './log.js';
import type { Rail, RailAnswer, RailOrder } from './rail.js';
import type { AttemptRow, LeafDraft, PaymentRow } from './store/verbs.js';

const TOKEN_LIFE_S = 120;

/** A permitted payment with everything that its token, receipt and leaf name. */
interface Permitted { readonly payment: PaymentRow; readonly attempt: AttemptRow; readonly intent: Intent; readonly decision: Verified<Decision> }
export interface Settled { readonly execution: string; readonly receipt: string; readonly deposited: Deposited }

export class Settlement {
  private readonly v: () => Verifier;
  private readonly rail: Rail;
  private readonly atWork = new Map<string, Promise<Settled>>();

  /** `v` is asked for when work begins: the settlement is itself a part of it. */
  constructor(v: () => Verifier, rail: Rail) {
    this.v = v;
    this.rail = rail;
  }

  /**
   * Brings a permitted payment to its end and answers it; who asks while it is at work shares the answer.
   * @throws Fault deposit.unavailable, token.expired (permitted long ago and never released), settle.outcome_unknown
   */
  settle(payment: PaymentRow): Promise<Settled> {
    const running = this.atWork.get(payment.paymentId) ?? this.run(payment).finally(() => this.atWork.delete(payment.paymentId));
    this.atWork.set(payment.paymentId, running);
    return running;
  }

  /** Ends what a crash, a log or a rail left open. One payment that still cannot end does not keep back the others. */
  async resume(): Promise<void> {
    const v = this.v();
    await v.store.expireReservations(v.now());
    for (const payment of await v.store.unfinished()) {
      await this.settle(payment).catch((error: unknown) => v.logger.warn({ paymentId: payment.paymentId, code: asFault(error).code }, 'payment is still open'));
    }
  }

  /** What is at work has ended, one way or the other. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.atWork.values());
  }

  private async run(payment: PaymentRow): Promise<Settled> {
    const v = this.v();
    const permitted = await permittedOf(v, payment);
    const leaf = await v.log.deposit(decisionEvent(permitted.attempt.decision, permitted.attempt.decidedMs));
    const token = await release(v, permitted, leaf);
    const receipt = await this.redeem(v, permitted, token, leaf.stored.chain);
    return { execution: token.token, receipt, deposited: await v.log.deposit(resultEvent(token.value.jti, token.value.iat * 1000)) };
  }

  private async redeem(v: Verifier, permitted: Permitted, token: Verified<ExecutionToken>, chain: string): Promise<string> {
    const { jti, paymentId, amount, payee } = token.value;
    const before = await v.store.receipt(paymentId);
    if (before) return before;
    if (token.value.aud !== v.config.issuers.settlement) throw fault('token.audience');
    const started = await v.store.startRedemption({ jti, requestSha256: token.sha256, nowMs: v.now() });
    const directory = await v.store.payee(payee.id, payee.origin);
    const order: RailOrder = { jti, paymentId, amount, payee, account: directory?.settleAccount ?? `payee:${payee.id}` };
    const late = started.mine && v.now() >= token.value.exp * 1000;
    const ended = late ? failed('token.expired') : endOf(await ask(v, this.rail, started.mine, order));
    await finish(v, { permitted, token, chain, order, ended });
    const receipt = await v.store.receipt(paymentId);
    if (!receipt) throw fault('settle.outcome_unknown');
    return receipt;
  }
}

async function permittedOf(v: Verifier, payment: PaymentRow): Promise<Permitted> {
  const attempt = (await v.store.attempts(payment.paymentId)).find(({ decisionKind }) => decisionKind === 'permit');
  if (!attempt) throw fault('intake.not_found', { what: `permit of payment ${payment.paymentId}` });
  return { payment, attempt, intent: parse(intentShape, payment.intent), decision: open(DECISION, attempt.decision, v.trust.keys) };
}

/** Row 12. The token holds the proof that its decision is deposited; the first token of a payment is the only one. */
async function release(v: Verifier, permitted: Permitted, leaf: Deposited): Promise<Verified<ExecutionToken>> {
  const { paymentId } = permitted.payment;
  const before = await v.store.executionToken(paymentId);
  if (before) return open(EXECUTION_TOKEN, before.token, v.trust.keys);
  const reservation = await v.store.reservation(paymentId);
  if (!reservation || permitted.decision.value.exp * 1000 <= v.now()) throw fault('token.expired');
  const value = tokenOf(v, permitted, leaf.proof, reservation);
  const token = await v.store.releaseToken({
    jti: value.jti, paymentId, reservationId: reservation.reservationId, leafIdx: leaf.stored.idx,
    token: seal(EXECUTION_TOKEN, value, v.keys.carrier), expiresMs: value.exp * 1000,
  });
  return open(EXECUTION_TOKEN, token, v.trust.keys);
}

function tokenOf(v: Verifier, { payment, attempt, intent, decision }: Permitted, proof: string, { reservationId, carrierId }: { reservationId: string; carrierId: string }): ExecutionToken {
  const iat = Math.floor(v.now() / 1000);
  const { paymentSha256, closedSha256 } = decision.value.inputs;
  if (closedSha256 === null) throw fault('mandate.closed', { what: 'it is missing' });
  return {
    iss: v.config.issuers.carrier, aud: v.config.issuers.settlement, jti: freshId(v, 'tok'), iat, exp: iat + TOKEN_LIFE_S,
    carrierId, reservationId, payee: intent.payee, amount: intent.amount, bound: intent.bound, paymentId: payment.paymentId,
    paymentSha256, decisionSha256: decision.sha256, closedSha256, cnf: { jkt: open(EAR, attempt.ear, v.trust.keys).value.cnf.jkt }, proof,
  };
}

/** Row 13: the rail is asked to pay by the one who started the redemption, and only asked for the outcome by everyone after. */
async function ask(v: Verifier, rail: Rail, mine: boolean, order: RailOrder): Promise<RailAnswer> {
  try {
    return mine ? await rail.pay(order) : await rail.query(order);
  } catch (err) {
    v.logger.error({ err, rail: rail.name, jti: order.jti }, 'rail gave no answer');
    return { outcome: 'unknown' };
  }
}

/** How a redemption ended: `code` is null when the money moved. */
interface Ended { readonly code: Code | null; readonly reference: string | null }
interface Ending { readonly permitted: Permitted; readonly token: Verified<ExecutionToken>; readonly chain: string; readonly order: RailOrder; readonly ended: Ended }
const failed = (code: Code): Ended => ({ code, reference: null });

/** @throws Fault settle.outcome_unknown */
function endOf(answer: RailAnswer): Ended {
  if (answer.outcome === 'unknown') throw fault('settle.outcome_unknown');
  return answer.outcome === 'declined' ? failed('settle.declined') : { code: null, reference: answer.reference };
}

function finish(v: Verifier, { permitted, token, chain, order, ended }: Ending): Promise<void> {
  const { jti, paymentId, amount, iat } = token.value;
  const { code } = ended;
  const receipt = seal(RECEIPT, receiptOf(v, token, ended), v.keys.settlement);
  return v.store.finishRedemption({
    jti, paymentId, outcome: code === null ? 'settled' : 'failed', captured: code === null ? amount.amount : 0n, payeeAccount: order.account, receipt, code,
    leaf: { eventId: resultEvent(jti, iat * 1000), draft: resultLeaf(v, { permitted, token, chain, code, receipt }) }, nowMs: v.now(),
  });
}

function receiptOf(v: Verifier, token: Verified<ExecutionToken>, { code, reference }: Ended): Receipt {
  const nowS = Math.floor(v.now() / 1000);
  return {
    iss: v.config.issuers.settlement, iat: nowS, jti: freshId(v, 'rcp'), status: code === null ? 'Success' : 'Error', reference: token.value.closedSha256,
    paymentId: token.value.paymentId, pspConfirmationId: reference, error: code,
    executionSha256: token.sha256, amount: token.value.amount, settledAt: nowS,
  };
}

function resultLeaf(v: Verifier, { permitted, token, chain, code, receipt }: { permitted: Permitted; token: Verified<ExecutionToken>; chain: string; code: Code | null; receipt: string }): LeafDraft {
  const { paymentSha256, mandateSha256, carrierSha256, earSha256, confirmationSha256 } = permitted.decision.value.inputs;
  return leafDraft(v, {
    kind: code === null ? 'settled' : 'failed', chain, code, payment: paymentSha256, mandate: mandateSha256, carrier: carrierSha256, ear: earSha256,
    confirmation: confirmationSha256, decision: permitted.decision.sha256, execution: token.sha256, receipt: tokenHash(receipt),
  });
}
