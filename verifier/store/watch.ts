/** What belongs to whom, for those who watch: a carrier's devices and receipts, a user's devices and events. */
import { readLeaf } from '../../src/deposit/chain.js';
import type { Database, Tx } from './database.js';
import type { Store, UserEvent } from './verbs.js';

/** Devices that a user enrolled or was bound to. */
const devicesOf = (tx: Tx, userId: string) => tx.selectFrom('devices').select('device_id').where('user_id', '=', userId)
  .union(tx.selectFrom('device_users').select('device_id').where('user_id', '=', userId));

/** Leaves of a user's carriers and devices, and of the user. */
async function eventsOf(tx: Tx, { userId, from, limit }: Parameters<Store['eventsOf']>[0]): Promise<UserEvent[]> {
  const rows = await tx.selectFrom('log_leaves').leftJoin('payments', 'payments.payment_sha256', 'log_leaves.payment_sha256')
    .select(['idx', 'event_id', 'chain', 'seq', 'payment_id', 'leaf']).where('idx', '>=', BigInt(from))
    .where((eb) => eb.or([
      eb('chain', '=', userId),
      eb('chain', 'in', eb.selectFrom('carriers').select('carriers.carrier_id').where('user_id', '=', userId)),
      eb('chain', 'in', devicesOf(tx, userId)),
    ]))
    .orderBy('idx').limit(limit).execute();
  return rows.map(({ idx, event_id: eventId, chain, seq, payment_id: paymentId, leaf }) => {
    const { kind, code, tsMs } = readLeaf(leaf);
    return { index: Number(idx), eventId, chain, seq: Number(seq), paymentId, kind, code, tsMs };
  });
}

/** Of payments first, then of money that came back. */
async function receiptsOf(tx: Tx, carrierId: string): Promise<string[]> {
  const paid = await tx.selectFrom('redemptions').innerJoin('execution_tokens', 'execution_tokens.jti', 'redemptions.jti').innerJoin('payments', 'payments.payment_id', 'execution_tokens.payment_id')
    .select('redemptions.receipt').where('payments.carrier_id', '=', carrierId).orderBy('redemptions.started_ms').orderBy('redemptions.jti').execute();
  const back = await tx.selectFrom('refunds').innerJoin('payments', 'payments.payment_id', 'refunds.payment_id')
    .select('refunds.receipt').where('payments.carrier_id', '=', carrierId).orderBy('refunds.refund_id').execute();
  return [...paid, ...back].flatMap(({ receipt }) => (receipt === null ? [] : [receipt]));
}

export const watchVerbs = (db: Database): Pick<Store, 'devicesPaying' | 'devicesOf' | 'eventsOf' | 'receiptsOf'> => ({
  devicesPaying: (carrierId) => db.read(async (tx) => (await tx.selectFrom('mandates').select('device_id').distinct().where('carrier_id', '=', carrierId)
    .where('state', 'in', ['valid', 'suspended']).orderBy('device_id').execute()).map(({ device_id: deviceId }) => deviceId)),

  devicesOf: (userId) => db.read(async (tx) => (await devicesOf(tx, userId).execute()).map(({ device_id: deviceId }) => deviceId).sort()),
  eventsOf: (input) => db.read((tx) => eventsOf(tx, input)),
  receiptsOf: (carrierId) => db.read((tx) => receiptsOf(tx, carrierId)),
});
