/**
 * Offline allowances as verbs. The whole amount and all the payments of an allowance are held on carrier and mandate from the moment it is issued; a payment
 * that is brought takes its part out of the hold, never anything else. Called by the carrier issuer (issue, close, end) and the decision service (spend).
 */
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import type { DeviceClock } from '../../attest/types.js';
import { type Database, hitOne, insist, moved, outcome, refused, type Tx } from './database.js';
import { freeSlot, holdDevice, storeAttempt, storePayment } from './decide.js';
import { availableOf, reservedOf, transfer } from './ledger.js';
import { type Nonce, spendNonce } from './history.js';
import { enqueue } from './queue.js';
import type { Tables } from './tables.js';
import type { AllowanceRow, Store } from './verbs.js';

type Input<V extends keyof Store> = Store[V] extends (input: infer I) => unknown ? I : never;
type Row = Selectable<Tables['allowances']>;

/** Above every counter: of a key that was replaced nothing more is known. */
const NO_END = 9_223_372_036_854_775_807n;

const clockOf = (row: Row): DeviceClock => ({ resetCount: Number(row.reset_count), restartCount: Number(row.restart_count), clock: row.clock, seq: Number(row.seq), ctr: row.ctr_last, attestSha256: row.attest_sha256 });

async function allowanceRow(tx: Tx, row: Row): Promise<AllowanceRow> {
  const { counted } = await tx.selectFrom('offline_counts').select((eb) => eb.fn.countAll<bigint>().as('counted'))
    .where('allowance_id', '=', row.allowance_id).where('ctr', '<', row.ctr_end ?? NO_END).executeTakeFirstOrThrow();
  return {
    allowanceId: row.allowance_id, carrierId: row.carrier_id, mandateId: row.mandate_id, deviceId: row.device_id, token: row.token, state: row.state, maxCount: Number(row.max_count), maxTotal: row.max_total,
    count: Number(row.uses), spent: row.spent, ctrBase: row.ctr_base, ctrEnd: row.ctr_end, clock: clockOf(row), uploadUntilMs: Number(row.upload_until_ms), counted: Number(counted),
  };
}

const held = (allowanceId: string, nth: number): string => `${allowanceId}:${String(nth).padStart(2, '0')}`;

/** A use of the mandate for each payment that may come. @throws Refused (retry) */
async function holdSlots(tx: Tx, { allowanceId, mandateId, carrierId, maxCount, maxPayments, nowMs }: Input<'issueAllowance'>): Promise<void> {
  const valid = await tx.updateTable('mandates').set((eb) => ({ state: eb.ref('state') }))
    .where('mandate_id', '=', mandateId).where('carrier_id', '=', carrierId).where('state', '=', 'valid').where('exp_ms', '>', BigInt(nowMs)).executeTakeFirst();
  if (!hitOne(valid)) throw moved();
  for (let nth = 0; nth < maxCount; nth++) {
    const slot = await freeSlot(tx, mandateId);
    if (maxPayments !== null && slot > BigInt(maxPayments)) throw moved();
    const row = { mandate_id: mandateId, slot, payment_id: held(allowanceId, nth), state: 'held' as const };
    if (!hitOne(await tx.insertInto('mandate_uses').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
  }
}

/** @throws Refused (retry) when device, carrier, mandate or funds moved; store.conflict when the mandate has an allowance on the device that was not stopped */
async function issue(tx: Tx, input: Input<'issueAllowance'>): Promise<void> {
  const { allowanceId, carrierId, rev, stateSeq, mandateId, deviceId, akName, token, maxCount, maxTotal, clock, ctrBase, uploadUntilMs, nowMs } = input;
  await holdDevice(tx, deviceId);
  const carrier = await tx.updateTable('carriers').set((eb) => ({ reserved: eb('reserved', '+', maxTotal), state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', carrierId).where('state', '=', 'active').where('rev', '=', BigInt(rev)).where('state_seq', '=', BigInt(stateSeq))
    .where(sql<boolean>`reserved + spent + ${maxTotal} <= total_max`).returning('currency').executeTakeFirst();
  if (!carrier) throw moved();
  await holdSlots(tx, input);
  const row = {
    allowance_id: allowanceId, carrier_id: carrierId, mandate_id: mandateId, device_id: deviceId, ak_name: akName, token, state: 'live' as const, max_count: maxCount, max_total: maxTotal, ctr_base: ctrBase, ctr_last: ctrBase,
    reset_count: clock.resetCount, restart_count: clock.restartCount, clock: clock.clock, seq: clock.seq, attest_sha256: clock.attestSha256, upload_until_ms: uploadUntilMs,
  };
  if (!hitOne(await tx.insertInto('allowances').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw refused('store.conflict');
  await transfer(tx, `hold:${allowanceId}`, [{ from: availableOf(carrierId, carrier.currency), to: reservedOf(carrierId, carrier.currency), amount: maxTotal }], nowMs);
  await enqueue(tx, input.leaf, nowMs);
}

/** A part of a hold goes back to the carrier, with the uses of the mandate but so many. */
async function release(tx: Tx, row: Row, { amount, usesLeft }: { amount: bigint; usesLeft: number }, nowMs: number): Promise<void> {
  const { currency } = await tx.updateTable('carriers').set((eb) => ({ reserved: eb('reserved', '-', amount), state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', row.carrier_id).returning('currency').executeTakeFirstOrThrow();
  const uses = await tx.selectFrom('mandate_uses').select('payment_id').where('mandate_id', '=', row.mandate_id).where('state', '=', 'held').where('payment_id', 'like', `${row.allowance_id}:%`).orderBy('payment_id').execute();
  for (const { payment_id } of uses.slice(usesLeft)) await tx.updateTable('mandate_uses').set({ state: 'freed' }).where('payment_id', '=', payment_id).execute();
  if (amount > 0n) await transfer(tx, `unhold:${row.allowance_id}:${row.max_total}`, [{ from: reservedOf(row.carrier_id, currency), to: availableOf(row.carrier_id, currency), amount }], nowMs);
}

const lesser = <T extends bigint | number>(a: T, b: T): T => (a < b ? a : b);

/** What stays held is what the allowance is for from now on; an allowance of nothing has ended. */
async function close(tx: Tx, { allowanceId, keep, leaf, nowMs }: Input<'closeAllowance'>): Promise<void> {
  const row = await tx.selectFrom('allowances').selectAll().where('allowance_id', '=', allowanceId).executeTakeFirst();
  if (!row || row.state === 'ended') return;
  const [uses, total] = [lesser(Number(row.max_count - row.uses), keep.count), lesser(row.max_total - row.spent, keep.total)];
  const ends = uses === 0 || total === 0n;
  const left = ends ? { state: 'ended' as const } : { state: 'closed' as const, max_count: row.uses + BigInt(uses), max_total: row.spent + total };
  const written = await tx.updateTable('allowances').set(left)
    .where('allowance_id', '=', allowanceId).where('state', '=', row.state).where('spent', '=', row.spent).where('ctr_last', '=', row.ctr_last).where('max_total', '=', row.max_total).executeTakeFirst();
  if (!hitOne(written)) throw moved();
  await release(tx, row, ends ? { amount: row.max_total - row.spent, usesLeft: 0 } : { amount: row.max_total - row.spent - total, usesLeft: uses }, nowMs);
  if (row.state === 'live') await enqueue(tx, leaf, nowMs);
}

/** The line of an allowance moves by one payment, from exactly where it was judged; its value of the counter is taken once. @throws Refused (retry) */
async function moveLine(tx: Tx, { allowance, payment: { paymentId }, akName, clock, amount }: Input<'spendOffline'>): Promise<void> {
  const { ctr } = clock;
  if (ctr === null) throw new TypeError('an offline payment has a counter');
  const count = { ak_name: akName, ctr, allowance_id: allowance.allowanceId, payment_id: paymentId };
  if (!hitOne(await tx.insertInto('offline_counts').values(count).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
  const permits = amount === null ? { uses: 0n, spent: 0n } : { uses: 1n, spent: amount };
  const written = await tx.updateTable('allowances').set((eb) => ({
    ctr_last: ctr, reset_count: clock.resetCount, restart_count: clock.restartCount, clock: clock.clock, seq: clock.seq, attest_sha256: clock.attestSha256,
    uses: eb('uses', '+', permits.uses), spent: eb('spent', '+', permits.spent),
  })).where('allowance_id', '=', allowance.allowanceId).where('ctr_last', '=', allowance.clock.ctr ?? -1n).where('uses', '=', BigInt(allowance.count)).where('spent', '=', allowance.spent)
    .where((eb) => (amount === null ? eb.lit(true) : eb.and([eb('state', '<>', 'ended'), eb(eb('spent', '+', amount), '<=', eb.ref('max_total')), eb('uses', '<', eb.ref('max_count'))]))).executeTakeFirst();
  if (!hitOne(written)) throw moved();
}

/** A nonce that no verifier gave is spent like any other, though the counter alone would do. */
const nonceOf = ({ nonce, payment: { deviceId }, allowance, nowMs }: Input<'spendOffline'>): Nonce => ({ value: nonce.value, deviceId, purpose: 'payment', expiresMs: Math.max(nowMs, allowance.uploadUntilMs) + 86_400_000 });

/**
 * Out of the hold: the carrier's reserved sum stays what it is, one use changes its name. A carrier that is frozen pays what it promised; that it has not moved
 * says that the keys of its user still speak as they did when the payment was judged.
 */
async function takeFromHold(tx: Tx, { allowance: { allowanceId, mandateId, carrierId, uploadUntilMs }, payment: { paymentId, deviceId }, reservationId, amount, stateSeq, nowMs }: Input<'spendOffline'>): Promise<void> {
  if (amount === null) return;
  await holdDevice(tx, deviceId);
  const carrier = await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('carrier_id', '=', carrierId).where('state_seq', '=', BigInt(stateSeq ?? -1)).executeTakeFirst();
  if (!hitOne(carrier)) throw moved();
  const use = await tx.selectFrom('mandate_uses').select('payment_id').where('mandate_id', '=', mandateId).where('state', '=', 'held').where('payment_id', 'like', `${allowanceId}:%`).orderBy('payment_id').limit(1).executeTakeFirst();
  if (!use) throw moved();
  await tx.updateTable('mandate_uses').set({ payment_id: paymentId }).where('payment_id', '=', use.payment_id).execute();
  const expires = Math.max(uploadUntilMs, nowMs + 600_000);
  await tx.insertInto('reservations').values({ reservation_id: reservationId, payment_id: paymentId, carrier_id: carrierId, amount, expires_ms: expires, created_ms: nowMs }).execute();
}

async function stop(tx: Tx, deviceId: string): Promise<void> {
  const key = await tx.selectFrom('device_keys').leftJoin('device_clock', 'device_clock.ak_name', 'device_keys.ak_name').select(['device_keys.ak_name', 'ctr']).where('device_id', '=', deviceId).where('retired_ms', 'is', null).executeTakeFirst();
  const open = () => tx.updateTable('allowances').where('device_id', '=', deviceId).where('ctr_end', 'is', null);
  if (key && key.ctr !== null) await open().set({ ctr_end: key.ctr }).where('ak_name', '=', key.ak_name).where('ctr_base', '<', key.ctr).execute();
  await open().set({ ctr_end: NO_END }).where('ak_name', '<>', key?.ak_name ?? '').execute();
}

const unended = (tx: Tx) => tx.selectFrom('allowances').selectAll().where('state', '<>', 'ended');
const rowsOf = (tx: Tx, rows: Row[]): Promise<AllowanceRow[]> => Promise.all(rows.map((row) => allowanceRow(tx, row)));

type Verbs = 'issueAllowance' | 'allowance' | 'liveAllowance' | 'heldOffline' | 'stopAllowances' | 'stoppedAllowances' | 'overdueAllowances' | 'closeAllowance' | 'spendOffline';

export const offlineVerbs = (db: Database): Pick<Store, Verbs> => ({
  issueAllowance: (input) => outcome(db.write((tx) => issue(tx, input))),

  allowance: (allowanceId) => db.read(async (tx) => {
    const row = await tx.selectFrom('allowances').selectAll().where('allowance_id', '=', allowanceId).executeTakeFirst();
    return row ? allowanceRow(tx, row) : null;
  }),

  liveAllowance: (mandateId, deviceId) => db.read(async (tx) => {
    const row = await unended(tx).where('mandate_id', '=', mandateId).where('device_id', '=', deviceId).where('ctr_end', 'is', null).executeTakeFirst();
    return row ? allowanceRow(tx, row) : null;
  }),

  heldOffline: (carrierId) => db.read((tx) => heldBy(tx, carrierId)),

  stopAllowances: (deviceId) => db.write((tx) => stop(tx, deviceId)),
  stoppedAllowances: (deviceId) => db.read(async (tx) => rowsOf(tx, await unended(tx).where('device_id', '=', deviceId).where('ctr_end', 'is not', null).execute())),
  overdueAllowances: (nowMs) => db.read(async (tx) => rowsOf(tx, await unended(tx).where('upload_until_ms', '<=', BigInt(nowMs)).execute())),
  closeAllowance: (input) => insist(db, (tx) => close(tx, input)),

  spendOffline: (input) => outcome(db.write(async (tx) => {
    await moveLine(tx, input);
    await spendNonce(tx, nonceOf(input), input.nowMs);
    await storePayment(tx, input);
    await storeAttempt(tx, input);
    await takeFromHold(tx, input);
    await enqueue(tx, input.leaf, input.nowMs);
  })),
});

/** What unended allowances of a carrier still hold, in payments and money: the windows count it as if it were spent. */
export async function heldBy(tx: Tx, carrierId: string): Promise<{ count: number; total: bigint }> {
  const row = await unended(tx).clearSelect().select([sql<bigint>`cast(coalesce(sum(max_total - spent), 0) as bigint)`.as('total'), sql<bigint>`cast(coalesce(sum(max_count - uses), 0) as bigint)`.as('count')])
    .where('carrier_id', '=', carrierId).executeTakeFirstOrThrow();
  return { count: Number(row.count), total: row.total };
}
