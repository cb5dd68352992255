/** Payments as verbs: what they were decided on, their attempts, and the user's consent. */
import type { Selectable } from 'kysely';
import { fault } from '../../src/base/fault.js';
import { readAuthority } from './authority.js';
import { type Database, hitOne, type Tx } from './database.js';
import { decide } from './decide.js';
import { announce } from './outbox.js';
import { enqueue } from './queue.js';
import type { Tables } from './tables.js';
import type { AttemptRow, PaymentRow, Store } from './verbs.js';

export const paymentRow = (row: Selectable<Tables['payments']>): PaymentRow => ({
  paymentId: row.payment_id, deviceId: row.device_id, agentId: row.agent_id, idempotencyKey: row.idempotency_key, requestSha256: row.request_sha256, paymentSha256: row.payment_sha256,
  intent: row.intent, mandateId: row.mandate_id, carrierId: row.carrier_id, state: row.state, code: row.code, version: Number(row.version), createdMs: Number(row.created_ms),
});

const attemptRow = (row: Selectable<Tables['attempts']>): AttemptRow => ({
  paymentId: row.payment_id, n: Number(row.n), nonce: row.nonce, evidence: row.evidence, ear: row.ear, stateJson: row.state_json,
  decision: row.decision, decisionKind: row.decision_kind, decidedMs: Number(row.decided_ms),
});

const firstPayment = (row: Selectable<Tables['payments']> | undefined): PaymentRow | null => (row ? paymentRow(row) : null);

/** A payment belongs to the user of its mandate; one without a mandate to the user of its device. */
function ofUser(tx: Tx, userId: string) {
  return tx.selectFrom('payments').selectAll('payments').innerJoin('devices', 'devices.device_id', 'payments.device_id').leftJoin('mandates', 'mandates.mandate_id', 'payments.mandate_id')
    .where((eb) => eb(eb.fn.coalesce('mandates.user_id', 'devices.user_id'), '=', userId));
}

async function findPayments(tx: Tx, { userId, state, limit }: Parameters<Store['paymentsOf']>[0]): Promise<PaymentRow[]> {
  const all = userId === undefined ? tx.selectFrom('payments').selectAll('payments') : ofUser(tx, userId);
  const some = state === undefined ? all : all.where('payments.state', '=', state);
  return (await some.orderBy('payments.created_ms', 'desc').orderBy('payments.payment_id', 'desc').limit(limit).execute()).map(paymentRow);
}

/** The payment's state is held while consent is added: consent to what was decided meanwhile is no consent. */
async function addConfirmation(tx: Tx, { confirmationId, paymentId, keyId, token, assertion = null, leaf, outbox, nowMs }: Parameters<Store['addConfirmation']>[0]): Promise<void> {
  const known = await tx.selectFrom('confirmations').select('token').where('confirmation_id', '=', confirmationId).executeTakeFirst();
  if (known?.token === token) return;
  const held = await tx.updateTable('payments').set((eb) => ({ state: eb.ref('state') })).where('payment_id', '=', paymentId).where('state', '=', 'confirm_required').executeTakeFirst();
  if (!hitOne(held)) {
    const payment = await tx.selectFrom('payments').select('state').where('payment_id', '=', paymentId).executeTakeFirst();
    throw fault('confirm.not_awaited', { state: payment?.state ?? 'unknown' });
  }
  const row = { confirmation_id: confirmationId, payment_id: paymentId, key_id: keyId, token, assertion };
  if (!hitOne(await tx.insertInto('confirmations').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw fault('confirm.not_awaited', { state: 'confirmed' });
  await enqueue(tx, leaf, nowMs);
  await announce(tx, outbox);
}

type Verbs = 'authority' | 'decide' | 'payment' | 'paymentByKey' | 'paymentsOf' | 'attempts' | 'addConfirmation' | 'unusedConfirmations' | 'confirmation';

export const paymentVerbs = (db: Database): Pick<Store, Verbs> => ({
  authority: (input) => db.read((tx) => readAuthority(tx, input)),
  decide: (input) => decide(db, input),

  payment: (paymentId) => db.read(async (tx) => firstPayment(await tx.selectFrom('payments').selectAll().where('payment_id', '=', paymentId).executeTakeFirst())),

  paymentByKey: (deviceId, agentId, idempotencyKey) => db.read(async (tx) => firstPayment(
    await tx.selectFrom('payments').selectAll().where('device_id', '=', deviceId).where('agent_id', '=', agentId).where('idempotency_key', '=', idempotencyKey).executeTakeFirst())),

  paymentsOf: (filter) => db.read((tx) => findPayments(tx, filter)),

  attempts: (paymentId) => db.read(async (tx) => (await tx.selectFrom('attempts').selectAll().where('payment_id', '=', paymentId).orderBy('n').execute()).map(attemptRow)),

  addConfirmation: (input) => db.write((tx) => addConfirmation(tx, input)),

  unusedConfirmations: (deviceId) => db.read((tx) => tx.selectFrom('confirmations').innerJoin('payments', 'payments.payment_id', 'confirmations.payment_id')
    .select(['payments.payment_id as paymentId', 'token']).where('device_id', '=', deviceId).where('payments.state', '=', 'confirm_required').where('consumed_attempt', 'is', null).orderBy('confirmation_id').execute()),

  /** The newest consent to this payment. */
  confirmation: (paymentId) => db.read(async (tx) => {
    const row = await tx.selectFrom('confirmations').selectAll().where('payment_id', '=', paymentId).orderBy('confirmation_id', 'desc').limit(1).executeTakeFirst();
    return row ? { confirmationId: row.confirmation_id, keyId: row.key_id, token: row.token, assertion: row.assertion, consumedAttempt: row.consumed_attempt === null ? null : Number(row.consumed_attempt) } : null;
  }),
});
