/**
 * Refunds as verbs: what a payee gives back, never above what was captured. The payment's version is the lock, so that of two refunds over the last
 * remaining amount one wins. Called by settlement.
 */
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { fault } from '../../src/base/fault.js';
import { findPayment, findReservation, movePayment } from './capture.js';
import { type Database, hitOne, insist, moved, type Tx } from './database.js';
import { availableOf, payeeOf, transfer } from './ledger.js';
import { enqueue } from './queue.js';
import type { Tables } from './tables.js';
import type { RefundRow, Store } from './verbs.js';

type Input<V extends keyof Store> = Store[V] extends (input: infer I) => unknown ? I : never;

const refundRow = (row: Selectable<Tables['refunds']>): RefundRow => ({ refundId: row.refund_id, paymentId: row.payment_id, amount: row.amount, state: row.state, receipt: row.receipt });

/** The account that the captured money went to, whatever the directory says of the payee today. */
async function readCaptured(tx: Tx, paymentId: string): ReturnType<Store['captured']> {
  const paid = await tx.selectFrom('execution_tokens').innerJoin('transfers', (join) => join.on('transfers.event_id', '=', sql<string>`'settle:' || execution_tokens.jti`).on('transfers.leg', '=', 0n))
    .innerJoin('accounts', 'accounts.account_id', 'transfers.credit').select(['transfers.amount', 'transfers.credit', 'accounts.currency']).where('payment_id', '=', paymentId).where('accounts.kind', '=', 'payee').executeTakeFirst();
  if (!paid) return null;
  const { refunded } = await tx.selectFrom('refunds').select(sql<bigint>`cast(coalesce(sum(amount), 0) as bigint)`.as('refunded')).where('payment_id', '=', paymentId).where('state', '<>', 'failed').executeTakeFirstOrThrow();
  return { amount: paid.amount, payeeAccount: paid.credit.slice(payeeOf('', paid.currency).id.length), refunded };
}

function sameRefund(known: RefundRow, { refundId, paymentId, amount }: Input<'startRefund'>): { mine: boolean; refund: RefundRow } {
  if (known.paymentId !== paymentId || known.amount !== amount) throw fault('store.conflict', { what: `refund ${refundId}` });
  return { mine: false, refund: known };
}

async function startRefund(tx: Tx, input: Input<'startRefund'>): Promise<{ mine: boolean; refund: RefundRow }> {
  const { refundId, paymentId, amount, nowMs } = input;
  const known = await tx.selectFrom('refunds').selectAll().where('refund_id', '=', refundId).executeTakeFirst();
  if (known) return sameRefund(refundRow(known), input);
  const payment = await findPayment(tx, paymentId);
  const captured = await readCaptured(tx, paymentId);
  if (!captured) throw fault('refund.not_settled', { state: payment.state });
  const left = captured.amount - captured.refunded;
  if (amount > left) throw fault('refund.amount', { asked: amount, left });
  await movePayment(tx, payment, payment.state, payment.code);
  const row = { refund_id: refundId, payment_id: paymentId, amount, state: 'started' as const, receipt: null, started_ms: BigInt(nowMs) };
  if (!hitOne(await tx.insertInto('refunds').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
  return { mine: true, refund: refundRow(row) };
}

/** The money goes back to the carrier, whatever became of it; what its rules have counted stays counted. */
async function giveBack(tx: Tx, { refundId, paymentId, amount }: RefundRow, nowMs: number): Promise<void> {
  const { carrier_id } = await findReservation(tx, paymentId);
  const captured = await readCaptured(tx, paymentId);
  const { currency } = await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('carrier_id', '=', carrier_id).returning('currency').executeTakeFirstOrThrow();
  const back = availableOf(carrier_id, currency);
  await transfer(tx, `refund:${refundId}`, [{ from: payeeOf(captured?.payeeAccount ?? '', currency), to: back, amount }], nowMs);
}

/** @throws Fault intake.not_found */
async function finishRefund(tx: Tx, { refundId, outcome, receipt, leaf, nowMs }: Input<'finishRefund'>): Promise<void> {
  const row = await tx.selectFrom('refunds').selectAll().where('refund_id', '=', refundId).executeTakeFirst();
  if (!row) throw fault('intake.not_found', { what: `refund ${refundId}` });
  if (row.state !== 'started') return;
  const payment = await findPayment(tx, row.payment_id);
  await movePayment(tx, payment, payment.state, payment.code);
  if (!hitOne(await tx.updateTable('refunds').set({ state: outcome, receipt }).where('refund_id', '=', refundId).where('state', '=', 'started').executeTakeFirst())) throw moved();
  if (outcome === 'settled') await giveBack(tx, refundRow(row), nowMs);
  if (leaf) await enqueue(tx, leaf, nowMs);
}

type Verbs = 'captured' | 'startRefund' | 'finishRefund' | 'refunds' | 'unfinishedRefunds';

export const refundVerbs = (db: Database): Pick<Store, Verbs> => ({
  captured: (paymentId) => db.read((tx) => readCaptured(tx, paymentId)),
  startRefund: (input) => insist(db, (tx) => startRefund(tx, input)),
  finishRefund: (input) => insist(db, (tx) => finishRefund(tx, input)),
  refunds: (paymentId) => db.read(async (tx) => (await tx.selectFrom('refunds').selectAll().where('payment_id', '=', paymentId).orderBy('started_ms').orderBy('refund_id').execute()).map(refundRow)),
  unfinishedRefunds: () => db.read(async (tx) => (await tx.selectFrom('refunds').selectAll().where('state', '=', 'started').orderBy('started_ms').execute()).map(refundRow)),
});
