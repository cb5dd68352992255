/**
 * The decide transaction: nonce consumed, device moved forward, attempt stored, money reserved, leaf queued - together or not at all.
 *
 * The decision was made on what was read before; each guard here says that this is still so, and its row count decides. A guard that does not hold rolls
 * everything back. Order of locks, the same in every verb: nonce, device, payment, carrier, mandate, slot, reservation, accounts by id, log queue.
 */
import { sql } from 'kysely';
import type { PaymentState } from '../../src/names.js';
import { type Database, hitOne, moved, outcome, refused, type Tx } from './database.js';
import { advance, spendNonce } from './history.js';
import { availableOf, reservedOf, transfer } from './ledger.js';
import { enqueue } from './queue.js';
import type { DecideInput, DecideResult } from './verbs.js';

type Reserve = NonNullable<DecideInput['reserve']>;

/** What a payment's own rows hold, however its money is reserved. */
type Stored = Pick<DecideInput, 'payment' | 'attempt' | 'code' | 'nowMs'>;

/** A payment takes new attempts until one of them is permitted. */
const OPEN_STATES: readonly PaymentState[] = ['received', 'proving', 'confirm_required', 'denied'];
const STATE_OF = { permit: 'permitted', confirm: 'confirm_required', deny: 'denied' } as const;

/** The next state of a payment that is known. The same id, key or intent with other content is another payment under its name. */
async function continuePayment(tx: Tx, { payment, attempt, code }: Stored): Promise<void> {
  const known = await tx.selectFrom('payments').selectAll().where('payment_id', '=', payment.paymentId).executeTakeFirst();
  const same = known && known.device_id === payment.deviceId && known.agent_id === payment.agentId && known.idempotency_key === payment.idempotencyKey
    && known.request_sha256 === payment.requestSha256 && known.payment_sha256 === payment.paymentSha256;
  if (!same) throw refused('intake.idempotency_conflict');
  if (!OPEN_STATES.includes(known.state)) throw refused('decision.already_permitted');
  const written = await tx.updateTable('payments').set({ state: STATE_OF[attempt.decisionKind], code, mandate_id: payment.mandateId, carrier_id: payment.carrierId, version: known.version + 1n })
    .where('payment_id', '=', payment.paymentId).where('version', '=', known.version).executeTakeFirst();
  if (!hitOne(written)) throw moved();
}

export async function storePayment(tx: Tx, input: Stored): Promise<void> {
  const { payment, attempt, code, nowMs } = input;
  const row = {
    payment_id: payment.paymentId, device_id: payment.deviceId, agent_id: payment.agentId, idempotency_key: payment.idempotencyKey, request_sha256: payment.requestSha256,
    payment_sha256: payment.paymentSha256, intent: payment.intent, mandate_id: payment.mandateId, carrier_id: payment.carrierId, state: STATE_OF[attempt.decisionKind], code, created_ms: nowMs,
  };
  if (!hitOne(await tx.insertInto('payments').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) await continuePayment(tx, input);
}

export async function storeAttempt(tx: Tx, { payment: { paymentId }, nonce, attempt }: Stored & { nonce: { value: string } }): Promise<void> {
  const { n, evidence, ear, stateJson, decision, decisionKind, decidedMs } = attempt;
  const row = { payment_id: paymentId, n, nonce: nonce.value, evidence, ear, state_json: stateJson, decision, decision_kind: decisionKind, decided_ms: decidedMs };
  if (hitOne(await tx.insertInto('attempts').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) return;
  const permit = await tx.selectFrom('attempts').select('n').where('payment_id', '=', paymentId).where('decision_kind', '=', 'permit').executeTakeFirst();
  throw refused(permit ? 'decision.already_permitted' : 'store.conflict');
}

/** A device that was suspended or revoked since it was read permits nothing. */
export async function holdDevice(tx: Tx, deviceId: string): Promise<void> {
  const held = await tx.updateTable('devices').set((eb) => ({ state: eb.ref('state') })).where('device_id', '=', deviceId).where('state', '=', 'enrolled').executeTakeFirst();
  if (!hitOne(held)) throw moved();
}

/** The carrier must be exactly as it was adjudicated; `state_seq` stands for every number that was looked at, the windows included. */
async function reserveOnCarrier(tx: Tx, { carrierId, rev, stateSeq, amount }: Reserve): Promise<string> {
  const written = await tx.updateTable('carriers').set((eb) => ({ reserved: eb('reserved', '+', amount), state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', carrierId).where('state', '=', 'active').where('rev', '=', BigInt(rev)).where('state_seq', '=', BigInt(stateSeq))
    .where(sql<boolean>`reserved + spent + ${amount} <= total_max`).returning('currency').executeTakeFirst();
  if (!written) throw moved();
  return written.currency;
}

/** The lowest slot of the mandate that is not taken: one that was freed, or the next after the last. */
export async function freeSlot(tx: Tx, mandateId: string): Promise<bigint> {
  const { rows } = await sql<{ slot: bigint }>`
    SELECT coalesce(
      (SELECT min(f.slot) FROM mandate_uses f WHERE f.mandate_id = ${mandateId} AND f.state = 'freed'
        AND NOT EXISTS (SELECT 1 FROM mandate_uses u WHERE u.mandate_id = f.mandate_id AND u.slot = f.slot AND u.state <> 'freed')),
      (SELECT max(u.slot) + 1 FROM mandate_uses u WHERE u.mandate_id = ${mandateId} AND u.state <> 'freed'),
      1) AS slot`.execute(tx);
  return rows[0]?.slot ?? 1n;
}

async function takeSlot(tx: Tx, mandateId: string, { carrierId, maxPayments }: Reserve, paymentId: string, nowMs: number): Promise<void> {
  const held = await tx.updateTable('mandates').set((eb) => ({ state: eb.ref('state') }))
    .where('mandate_id', '=', mandateId).where('carrier_id', '=', carrierId).where('state', '=', 'valid').where('exp_ms', '>', BigInt(nowMs)).executeTakeFirst();
  if (!hitOne(held)) throw moved();
  const slot = await freeSlot(tx, mandateId);
  if (maxPayments !== null && slot > BigInt(maxPayments)) throw moved();
  const row = { mandate_id: mandateId, slot, payment_id: paymentId, state: 'held' as const };
  if (!hitOne(await tx.insertInto('mandate_uses').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
}

async function reserve(tx: Tx, { payment: { paymentId, deviceId }, nowMs }: DecideInput, wanted: Reserve): Promise<void> {
  const { reservationId, carrierId, amount, mandateId, expiresMs } = wanted;
  await holdDevice(tx, deviceId);
  const currency = await reserveOnCarrier(tx, wanted);
  if (mandateId !== null) await takeSlot(tx, mandateId, wanted, paymentId, nowMs);
  await tx.insertInto('reservations').values({ reservation_id: reservationId, payment_id: paymentId, carrier_id: carrierId, amount, expires_ms: expiresMs, created_ms: nowMs }).execute();
  await transfer(tx, `reserve:${reservationId}`, [{ from: availableOf(carrierId, currency), to: reservedOf(carrierId, currency), amount }], nowMs);
}

async function spendConfirmation(tx: Tx, confirmationId: string, { payment: { paymentId }, attempt }: DecideInput): Promise<void> {
  const spent = await tx.updateTable('confirmations').set({ consumed_attempt: attempt.n })
    .where('confirmation_id', '=', confirmationId).where('payment_id', '=', paymentId).where('consumed_attempt', 'is', null).executeTakeFirst();
  if (!hitOne(spent)) throw refused('confirm.not_awaited');
}

/** A permit that moves no money or no device, and money without a permit, are bugs of the caller. */
function assertWhole({ attempt, device, reserve: wanted }: DecideInput): void {
  const permit = attempt.decisionKind === 'permit';
  if (permit !== (wanted !== null) || (permit && device === null)) throw new TypeError('a permit, and only a permit, reserves money; it needs authentic evidence');
}

export async function decide(db: Database, input: DecideInput): Promise<DecideResult> {
  assertWhole(input);
  return outcome(db.write(async (tx) => {
    await spendNonce(tx, input.nonce, input.nowMs);
    if (input.device) await advance(tx, input.payment.deviceId, input.device);
    await storePayment(tx, input);
    await storeAttempt(tx, input);
    if (input.confirmationId !== null) await spendConfirmation(tx, input.confirmationId, input);
    if (input.reserve) await reserve(tx, input, input.reserve);
    await enqueue(tx, input.leaf, input.nowMs);
  }));
}
