/**
 * From a permitted payment to its receipt: rows 11 to 14 of a payment. The same path runs at once, when the payee captures later, and after a crash: each
 * step first looks for what an earlier run of it left, and a rail that may have been asked is asked for the outcome, never to pay again.
 */
import { sha256 } from '../src/base/bytes.js';
import { asFault, fault } from '../src/base/fault.js';
import { EXECUTION_TOKEN, type ExecutionToken, heldForPayee, RECEIPT } from '../src/objects/settlement.js';
import { open, seal, tokenHash, type Verified } from '../src/objects/signed.js';
import { executionBody, openBody } from './answer.js';
import type { Verifier } from './context.js';
import { resultEvent } from './events.js';
import type { Deposited } from './log.js';
import { depositPermit, type Permitted, permittedOf, release } from './permitted.js';
import { assertPresented, type Presentation } from './presented.js';
import type { Rail, RailAnswer, RailOrder } from './rail.js';
import { type Ended, receiptOf, resultLeaf } from './receipts.js';
import type { FinishInput, PaymentRow, Redeem } from './store/verbs.js';

/** `receipt` and `deposited` are null while the payee may still capture. */
export interface Settled { readonly execution: string; readonly receipt: string | null; readonly deposited: Deposited | null }

export class Settlement {
  readonly rail: Rail;
  private readonly v: () => Verifier;
  private readonly atWork = new Map<string, Promise<Settled>>();

  /** `v` is asked for when work begins: the settlement is itself a part of it. */
  constructor(v: () => Verifier, rail: Rail) {
    this.v = v;
    this.rail = rail;
  }

  /**
   * Brings a permitted payment to its end, or to where its payee has to capture, and answers it; who asks while it is at work shares the answer.
   * @throws Fault deposit.unavailable, token.expired (permitted long ago and never released), settle.outcome_unknown
   */
  settle(payment: PaymentRow): Promise<Settled> {
    return this.atWork.get(payment.paymentId) ?? this.begin(payment, null);
  }

  /**
   * The payee's capture with the execution token and the closed mandate it is bound to: once, of the exact amount or, for `max`, of any amount up to it.
   * @throws Fault token.malformed, token.signature, token.holder, token.amount, token.expired, token.used, settle.outcome_unknown
   */
  async capture(token: string, amount: bigint, presentation: Presentation): Promise<Settled & { paymentId: string }> {
    const v = this.v();
    const { value } = open(EXECUTION_TOKEN, token, v.trust.keys);
    const { paymentId, amount: max, bound } = value;
    assertPresented(value, presentation);
    const fits = bound === 'exact' ? amount === max.amount : amount > 0n && amount <= max.amount;
    if (!fits) throw fault('token.amount', { asked: amount, amount: max.amount });
    await this.atWork.get(paymentId)?.catch(() => undefined);
    const [payment, stored] = await Promise.all([v.store.payment(paymentId), v.store.executionToken(paymentId)]);
    if (!payment || stored === null || tokenHash(stored.token) !== tokenHash(token)) throw fault('intake.not_found', { what: `payment ${paymentId}` });
    const settled = await this.begin(payment, amount);
    await v.outbox.tell(payment.deviceId, 'execution', await executionBody(v, paymentId, settled));
    return { ...settled, paymentId };
  }

  /** Ends what a crash, a log or a rail left open, and tells the devices. One payment that still cannot end does not keep back the others. */
  async resume(): Promise<void> {
    const v = this.v();
    for (const { paymentId, deviceId } of await v.store.expireReservations(v.now())) await v.outbox.tell(deviceId, 'execution', await openBody(v, paymentId));
    for (const payment of await v.store.unfinished()) {
      const { paymentId, deviceId } = payment;
      try {
        const settled = await this.settle(payment);
        if (settled.receipt !== null) await v.outbox.tell(deviceId, 'execution', await executionBody(v, paymentId, settled));
      } catch (error) {
        v.logger.warn({ paymentId, code: asFault(error).code }, 'payment is still open');
      }
    }
  }

  /** What is at work has ended, one way or the other. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.atWork.values());
  }

  private begin(payment: PaymentRow, captured: bigint | null): Promise<Settled> {
    const running = this.run(payment, captured).finally(() => this.atWork.delete(payment.paymentId));
    this.atWork.set(payment.paymentId, running);
    return running;
  }

  private async run(payment: PaymentRow, captured: bigint | null): Promise<Settled> {
    const v = this.v();
    const permitted = await permittedOf(v, payment);
    const leaf = await depositPermit(v, permitted);
    const { chain } = leaf.stored;
    const { token, redeem } = await release(v, permitted, leaf, (own) => this.atOnce(v, { permitted, token: own, chain }));
    if (token.value.aud !== v.config.issuers.settlement) throw fault('token.audience');
    const amount = captured ?? redeem?.start.amount ?? (await amountDue(v, token));
    if (amount === null) return { execution: token.token, receipt: null, deposited: null };
    const receipt = redeem?.finish?.receipt ?? (await this.redeem(v, { permitted, token, chain, amount, byPayee: captured !== null, isMine: redeem !== null }));
    return { execution: token.token, receipt, deposited: await v.log.deposit(resultEvent(token.value.jti, token.value.iat * 1000)) };
  }

  /** What a token is spent for in the transaction that releases it: everything, unless its payee has to capture it. */
  private async atOnce(v: Verifier, leaving: Leaving): Promise<Redeem | null> {
    const { value } = leaving.token;
    if (heldForPayee(value)) return null;
    const { amount } = value.amount;
    const start = startOf(v, leaving.token, amount);
    return { start, finish: this.rail.within ? finishOf(v, leaving, await orderOf(v, value, amount), PAID) : null };
  }

  private async redeem(v: Verifier, redeeming: Redeeming): Promise<string> {
    const { token: { value }, amount } = redeeming;
    const started = redeeming.isMine ? STARTED : await start(v, redeeming);
    if (started.receipt !== null) return started.receipt;
    const order = await orderOf(v, value, amount);
    const ended: Ended = started.isLate ? { code: 'token.expired', reference: null } : endOf(await ask(v, this.rail, started.mine, order));
    await v.store.finishRedemption(finishOf(v, redeeming, order, ended));
    const receipt = await v.store.receipt(value.paymentId);
    if (!receipt) throw fault('settle.outcome_unknown');
    return receipt;
  }
}

/** `chain`: of the leaf that the permit has. */
interface Leaving { readonly permitted: Permitted; readonly token: Verified<ExecutionToken>; readonly chain: string }
/** `isMine`: its redemption started in the transaction that released the token. */
interface Redeeming extends Leaving { readonly amount: bigint; readonly byPayee: boolean; readonly isMine: boolean }

const PAID: Ended = { code: null, reference: null };
const STARTED = { mine: true, receipt: null, isLate: false };

/** One token, one amount: that is the request which may be repeated, and no other. */
const startOf = (v: Verifier, { value, sha256: hash }: Verified<ExecutionToken>, amount: bigint): Redeem['start'] =>
  ({ jti: value.jti, requestSha256: sha256(`ari-redemption\0${hash}\0${amount}`), amount, nowMs: v.now() });

/** A token may start past its life, so that its end is recorded; the payee comes too late then. @throws Fault token.expired, token.used */
async function start(v: Verifier, { token, amount, byPayee }: Redeeming): Promise<{ mine: boolean; receipt: string | null; isLate: boolean }> {
  const { value } = token;
  const known = await v.store.redemption(value.paymentId);
  const isLate = known === null ? v.now() >= value.exp * 1000 : known.state === 'held' && v.now() >= (value.captureUntil ?? 0) * 1000;
  if (isLate && byPayee) throw fault('token.expired');
  return { ...(await v.store.startRedemption(startOf(v, token, amount))), isLate };
}

/** What is to be paid now: what was begun, or everything where nobody has to capture. Null: it waits for the payee. */
async function amountDue(v: Verifier, { value }: Verified<ExecutionToken>): Promise<bigint | null> {
  const begun = (await v.store.redemption(value.paymentId))?.amount ?? null;
  if (begun !== null || !heldForPayee(value)) return begun ?? value.amount.amount;
  if (value.captureUntil !== null) await v.store.holdRedemption({ jti: value.jti, nowMs: v.now() });
  return null;
}

async function orderOf(v: Verifier, { jti, paymentId, amount: { currency }, payee }: ExecutionToken, amount: bigint): Promise<RailOrder> {
  const directory = await v.store.payee(payee.id, payee.origin);
  return { kind: 'payment', id: jti, paymentId, amount: { amount, currency }, payee, account: directory?.settleAccount ?? `payee:${payee.id}` };
}

/** Row 13: the rail is asked to pay by the one who started the redemption, and only asked for the outcome by everyone after. */
export async function ask(v: Verifier, rail: Rail, mine: boolean, order: RailOrder): Promise<RailAnswer> {
  try {
    return mine ? await rail.pay(order) : await rail.query(order);
  } catch (err) {
    v.logger.error({ err, rail: rail.name, id: order.id }, 'rail gave no answer');
    return { outcome: 'unknown' };
  }
}

/** @throws Fault settle.outcome_unknown */
export function endOf(answer: RailAnswer): Ended {
  if (answer.outcome === 'unknown') throw fault('settle.outcome_unknown');
  return answer.outcome === 'declined' ? { code: 'settle.declined', reference: null } : { code: null, reference: answer.reference };
}

/** Row 14: the receipt, the ledger and the leaf, in one transaction. */
function finishOf(v: Verifier, { permitted, token, chain }: Leaving, order: RailOrder, ended: Ended): FinishInput {
  const { jti, paymentId, iat } = token.value;
  const { code } = ended;
  const moved = code === null;
  const receipt = seal(RECEIPT, receiptOf(v, token, moved ? order.amount : token.value.amount, ended), v.keys.settlement);
  const draft = resultLeaf(v, permitted, chain, { kind: moved ? 'settled' : 'failed', code, execution: token.sha256, receipt: tokenHash(receipt) });
  return {
    jti, paymentId, outcome: moved ? 'settled' : 'failed', captured: moved ? order.amount.amount : 0n, payeeAccount: order.account, receipt, code,
    leaf: { eventId: resultEvent(jti, iat * 1000), draft }, nowMs: v.now(),
  };
}
