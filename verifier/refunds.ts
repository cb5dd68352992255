/** Money that a payee gives back: asked of the rail once, then only for its outcome; back in the carrier with a signed refund and its leaf. */
import { asFault, fault } from '../src/base/fault.js';
import { EXECUTION_TOKEN, REFUND } from '../src/objects/settlement.js';
import { open, seal, tokenHash } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { refundEvent } from './events.js';
import { depositPermit, permittedOf } from './permitted.js';
import type { RailOrder } from './rail.js';
import { type Ended, refundOf, resultLeaf } from './receipts.js';
import { ask, endOf } from './settle.js';
import type { RefundRow } from './store/verbs.js';

export interface RefundAsked { readonly refundId: string; readonly paymentId: string; readonly amount: bigint }

/**
 * Gives back a part of a payment, or all of it. The same refund again is answered as it ended.
 * @throws Fault intake.not_found, refund.amount, refund.not_settled, store.conflict, settle.outcome_unknown, deposit.unavailable
 */
export async function refund(v: Verifier, asked: RefundAsked): Promise<RefundRow> {
  const { mine, refund: row } = await v.store.startRefund({ ...asked, nowMs: v.now() });
  return row.state === 'started' ? carryOut(v, row, mine) : row;
}

/** Ends the refunds that a crash or a rail left open. */
export async function resumeRefunds(v: Verifier): Promise<void> {
  for (const row of await v.store.unfinishedRefunds()) {
    await carryOut(v, row, false).catch((error: unknown) => v.logger.warn({ refundId: row.refundId, code: asFault(error).code }, 'refund is still open'));
  }
}

async function carryOut(v: Verifier, { refundId, paymentId, amount }: RefundRow, mine: boolean): Promise<RefundRow> {
  const [payment, stored, receipt, captured] = await Promise.all([v.store.payment(paymentId), v.store.executionToken(paymentId), v.store.receipt(paymentId), v.store.captured(paymentId)]);
  if (!payment || !stored || receipt === null || !captured) throw fault('intake.not_found', { what: `payment ${paymentId}` });
  const token = open(EXECUTION_TOKEN, stored.token, v.trust.keys);
  const order: RailOrder = { kind: 'refund', id: refundId, paymentId, amount: { amount, currency: token.value.amount.currency }, payee: token.value.payee, account: captured.payeeAccount };
  const { code, reference }: Ended = endOf(await ask(v, v.settlement.rail, mine, order));
  if (code !== null) {
    await v.store.finishRefund({ refundId, outcome: 'failed', receipt: null, leaf: null, nowMs: v.now() });
  } else {
    const permitted = await permittedOf(v, payment);
    const signed = seal(REFUND, refundOf(v, token, { refundId, amount, receiptSha256: tokenHash(receipt), reference }), v.keys.settlement);
    const { stored: { chain } } = await depositPermit(v, permitted);
    const leaf = { eventId: refundEvent(refundId), draft: resultLeaf(v, permitted, chain, { kind: 'refunded', execution: token.sha256, receipt: tokenHash(signed) }) };
    await v.store.finishRefund({ refundId, outcome: 'settled', receipt: signed, leaf, nowMs: v.now() });
    await v.log.deposit(leaf.eventId);
  }
  const ended = (await v.store.refunds(paymentId)).find((row) => row.refundId === refundId);
  if (!ended) throw fault('settle.outcome_unknown');
  return ended;
}
