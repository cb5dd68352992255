/**
 * From permit to money as verbs. The first token of a payment and the first redemption of a token win; money leaves a reservation once. Called by the
 * carrier issuer (tokens, expiry) and by settlement (redemptions).
 */
import type { Selectable } from 'kysely';
import { fault } from '../../src/base/fault.js';
import { readLeaf } from '../../src/deposit/chain.js';
import { endReservation, findPayment, findReservation, isOpen, movePayment } from './capture.js';
import { type Database, hitOne, insist, moved, type Tx } from './database.js';
import { paymentRow } from './payments.js';
import { enqueue } from './queue.js';
import type { Tables } from './tables.js';
import type { RedemptionRow, Store } from './verbs.js';

type Input<V extends keyof Store> = Store[V] extends (input: infer I) => unknown ? I : never;

/** The leaf is the permit of this very payment, and it is under a committed checkpoint. @throws Fault deposit.unavailable */
async function assertDeposited(tx: Tx, leafIdx: number, paymentSha256: string): Promise<void> {
  const leaf = await tx.selectFrom('log_leaves').select('leaf').where('idx', '=', BigInt(leafIdx)).where('payment_sha256', '=', paymentSha256).executeTakeFirst();
  const checkpoint = await tx.selectFrom('checkpoints').select('size').where('size', '>', BigInt(leafIdx)).limit(1).executeTakeFirst();
  if (!leaf || !checkpoint || readLeaf(leaf.leaf).kind !== 'permitted') throw fault('deposit.unavailable');
}

/** An open reservation is a permit whose money has gone nowhere. @throws Fault token.expired, deposit.unavailable */
async function releaseToken(tx: Tx, { jti, paymentId, reservationId, leafIdx, token, expiresMs, redeem = null }: Input<'releaseToken'>): Promise<string> {
  const first = await tx.selectFrom('execution_tokens').select('token').where('payment_id', '=', paymentId).executeTakeFirst();
  if (first) return first.token;
  const payment = await findPayment(tx, paymentId);
  const reservation = await findReservation(tx, paymentId);
  if (reservation.reservation_id !== reservationId || !isOpen(reservation)) throw fault('token.expired');
  await assertDeposited(tx, leafIdx, payment.payment_sha256);
  await movePayment(tx, payment, 'released');
  const row = { jti, payment_id: paymentId, reservation_id: reservationId, leaf_idx: leafIdx, token, expires_ms: expiresMs };
  if (!hitOne(await tx.insertInto('execution_tokens').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
  if (redeem !== null) await startRedemption(tx, redeem.start);
  if (redeem?.finish) await finishRedemption(tx, redeem.finish);
  return token;
}

type Redemption = Awaited<ReturnType<Store['startRedemption']>>;
type Held = Selectable<Tables['redemptions']>;

/** A token whose money is still reserved. @throws Fault token.expired, intake.not_found */
async function lockToken(tx: Tx, jti: string): Promise<void> {
  const token = await tx.selectFrom('execution_tokens').select('payment_id').where('jti', '=', jti).executeTakeFirst();
  if (!token) throw fault('intake.not_found', { what: `execution token ${jti}` });
  const payment = await findPayment(tx, token.payment_id);
  if (!isOpen(await findReservation(tx, token.payment_id))) throw fault('token.expired');
  await movePayment(tx, payment, payment.state);
}

async function holdRedemption(tx: Tx, { jti, nowMs }: Input<'holdRedemption'>): Promise<void> {
  await lockToken(tx, jti);
  await tx.insertInto('redemptions').values({ jti, state: 'held', started_ms: nowMs }).onConflict((c) => c.doNothing()).execute();
}

/** An expired token may still start, so that its end is recorded; one whose money went back may not. @throws Fault token.used, token.expired, intake.not_found */
async function startRedemption(tx: Tx, { jti, requestSha256, amount, nowMs }: Input<'startRedemption'>): Promise<Redemption> {
  const known = await tx.selectFrom('redemptions').selectAll().where('jti', '=', jti).executeTakeFirst();
  if (known && known.state !== 'held') return again(known, requestSha256);
  await lockToken(tx, jti);
  const row = { request_sha256: requestSha256, amount, state: 'started' as const };
  const written = await (known ? tx.updateTable('redemptions').set(row).where('jti', '=', jti).where('state', '=', 'held').executeTakeFirst()
    : tx.insertInto('redemptions').values({ jti, ...row, started_ms: nowMs }).onConflict((c) => c.doNothing()).executeTakeFirst());
  if (!hitOne(written)) throw moved();
  return { mine: true, state: 'started', receipt: null };
}

function again({ request_sha256, state, receipt }: Held, requestSha256: string): Redemption {
  if (request_sha256 !== requestSha256) throw fault('token.used');
  return { mine: false, state, receipt };
}

/** What was finished before stays as it was finished. @throws Fault intake.not_found, token.amount */
async function finishRedemption(tx: Tx, { jti, paymentId, outcome, captured, payeeAccount, receipt, code, leaf, nowMs }: Input<'finishRedemption'>): Promise<void> {
  const token = await tx.selectFrom('execution_tokens').innerJoin('redemptions', 'redemptions.jti', 'execution_tokens.jti').select('redemptions.state')
    .where('execution_tokens.jti', '=', jti).where('payment_id', '=', paymentId).executeTakeFirst();
  if (!token) throw fault('intake.not_found', { what: `redemption of ${jti} for payment ${paymentId}` });
  if (token.state === 'settled' || token.state === 'failed') return;
  const reservation = await findReservation(tx, paymentId);
  if (captured < 0n || captured > reservation.amount || (outcome === 'failed' && captured !== 0n)) throw fault('token.amount', { asked: captured, amount: reservation.amount });
  await movePayment(tx, await findPayment(tx, paymentId), outcome, code);
  await tx.updateTable('redemptions').set({ state: outcome, receipt }).where('jti', '=', jti).execute();
  await endReservation(tx, reservation, { eventId: `settle:${jti}`, captured, payeeAccount, slot: outcome === 'settled' ? 'used' : 'freed' }, nowMs);
  await enqueue(tx, leaf, nowMs);
}

/** Open reservations past their life whose payment nobody redeems: no token, one that is past its life too, or one that was held and never captured. */
const overdue = (tx: Tx, nowMs: number) => tx.selectFrom('reservations').leftJoin('execution_tokens', 'execution_tokens.payment_id', 'reservations.payment_id').leftJoin('redemptions', 'redemptions.jti', 'execution_tokens.jti')
  .select('reservations.payment_id').where('reservations.captured', '=', 0n).where('reservations.released', '=', 0n).where('reservations.expires_ms', '<=', BigInt(nowMs))
  .where((eb) => eb.or([
    eb('redemptions.state', '=', 'held'),
    eb.and([eb('redemptions.jti', 'is', null), eb.or([eb('execution_tokens.jti', 'is', null), eb('execution_tokens.expires_ms', '<=', BigInt(nowMs))])]),
  ]));

type Expired = Awaited<ReturnType<Store['expireReservations']>>[number];

async function expire(tx: Tx, paymentId: string, nowMs: number): Promise<Expired | null> {
  const payment = await findPayment(tx, paymentId);
  if (!(await overdue(tx, nowMs).where('reservations.payment_id', '=', paymentId).executeTakeFirst())) return null;
  const reservation = await findReservation(tx, paymentId);
  await movePayment(tx, payment, 'expired');
  await endReservation(tx, reservation, { eventId: `expire:${reservation.reservation_id}`, captured: 0n, payeeAccount: '', slot: 'freed' }, nowMs);
  return { paymentId, deviceId: payment.device_id };
}

/** One transaction for each, so that a long list holds nobody up. */
async function expireAll(db: Database, nowMs: number): Promise<Expired[]> {
  const due = await db.read((tx) => overdue(tx, nowMs).execute());
  const expired: (Expired | null)[] = [];
  for (const { payment_id } of due) expired.push(await insist(db, (tx) => expire(tx, payment_id, nowMs)));
  return expired.filter((one) => one !== null);
}

async function readRedemption(tx: Tx, paymentId: string): Promise<RedemptionRow | null> {
  const row = await tx.selectFrom('redemptions').innerJoin('execution_tokens', 'execution_tokens.jti', 'redemptions.jti').select(['redemptions.jti', 'state', 'amount', 'receipt']).where('payment_id', '=', paymentId).executeTakeFirst();
  return row ?? null;
}

type Verbs = 'releaseToken' | 'executionToken' | 'reservation' | 'holdRedemption' | 'startRedemption' | 'redemption' | 'finishRedemption' | 'receipt' | 'expireReservations' | 'unfinished';

export const settlementVerbs = (db: Database): Pick<Store, Verbs> => ({
  releaseToken: (input) => insist(db, (tx) => releaseToken(tx, input)),

  executionToken: (paymentId) => db.read(async (tx) => {
    const row = await tx.selectFrom('execution_tokens').selectAll().where('payment_id', '=', paymentId).executeTakeFirst();
    return row ? { jti: row.jti, token: row.token, reservationId: row.reservation_id, expiresMs: Number(row.expires_ms) } : null;
  }),

  reservation: (paymentId) => db.read(async (tx) => {
    const row = await tx.selectFrom('reservations').selectAll().where('payment_id', '=', paymentId).executeTakeFirst();
    return row ? { reservationId: row.reservation_id, carrierId: row.carrier_id, amount: row.amount, captured: row.captured, released: row.released } : null;
  }),

  holdRedemption: (input) => insist(db, (tx) => holdRedemption(tx, input)),
  startRedemption: (input) => insist(db, (tx) => startRedemption(tx, input)),
  finishRedemption: (input) => insist(db, (tx) => finishRedemption(tx, input)),

  redemption: (paymentId) => db.read((tx) => readRedemption(tx, paymentId)),
  receipt: async (paymentId) => (await db.read((tx) => readRedemption(tx, paymentId)))?.receipt ?? null,

  expireReservations: (nowMs) => expireAll(db, nowMs),

  unfinished: () => db.read(async (tx) =>
    (await tx.selectFrom('payments').selectAll().where('state', 'in', ['permitted', 'deposited', 'released', 'outcome_unknown']).orderBy('created_ms').execute()).map(paymentRow)),
});
