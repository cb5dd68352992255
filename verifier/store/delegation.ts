/** Delegation as verbs: carriers, mandates, payees, and their end. Called by the carrier issuer and the consent service. */
import { fault } from '../../src/base/fault.js';
import { REVISIONS_MAX } from '../../src/objects/carrier.js';
import { readCarrier, readCarriersOf, readMandate, readMandatesOfDevice, readPayee } from './authority.js';
import { addOnce, type Database, hitOne, insist, type Tx } from './database.js';
import { availableOf, mainOf, openAccounts, outside, reservedOf, transfer } from './ledger.js';
import { holdManifest } from './manifests.js';
import { announce } from './outbox.js';
import { enqueue } from './queue.js';
import { setState } from './standing.js';
import type { Store } from './verbs.js';

type CarrierInput = Parameters<Store['putCarrier']>[0];

async function openCarrier(tx: Tx, { carrierId, userId, currency, rev, totalMax }: CarrierInput): Promise<void> {
  await tx.insertInto('carriers').values({ carrier_id: carrierId, user_id: userId, currency, state: 'active', rev, total_max: totalMax }).execute();
  await openAccounts(tx, [outside(currency), mainOf(userId, currency), availableOf(carrierId, currency), reservedOf(carrierId, currency)]);
}

/** The next revision of a carrier of the same user and currency. A total below what is used already would break the promise of the rules. */
async function reviseCarrier(tx: Tx, { carrierId, userId, currency, rev, totalMax }: CarrierInput): Promise<void> {
  const written = await tx.updateTable('carriers').set((eb) => ({ rev, total_max: totalMax, state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', carrierId).where('user_id', '=', userId).where('currency', '=', currency).where('rev', '=', BigInt(rev - 1))
    .where('state', 'in', ['active', 'frozen']).where((eb) => eb(eb('reserved', '+', eb.ref('spent')), '<=', totalMax)).executeTakeFirst();
  if (!hitOne(written)) throw fault('store.conflict', { what: `another state of carrier ${carrierId} than one that revision ${rev} can follow` });
}

async function putCarrier(tx: Tx, input: CarrierInput): Promise<void> {
  await (input.rev === 1 ? openCarrier(tx, input) : reviseCarrier(tx, input));
  await tx.insertInto('carrier_revs').values({ carrier_id: input.carrierId, rev: input.rev, rules_sha256: input.rulesSha256, token: input.token, user_signature: input.userSignature }).execute();
  await enqueue(tx, input.leaf, input.nowMs);
  await announce(tx, input.outbox);
}

/** @throws Fault intake.not_found when there is no carrier that can take money */
async function fundCarrier(tx: Tx, { eventId, carrierId, amount, nowMs }: Parameters<Store['fundCarrier']>[0]): Promise<void> {
  const carrier = await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('carrier_id', '=', carrierId).where('state', 'in', ['active', 'frozen'])
    .returning(['user_id', 'currency']).executeTakeFirst();
  if (!carrier) throw fault('intake.not_found', { what: `open carrier ${carrierId}` });
  if (await tx.selectFrom('transfers').select('leg').where('event_id', '=', `fund:${carrierId}:${eventId}`).executeTakeFirst()) return;
  const main = mainOf(carrier.user_id, carrier.currency);
  const { balance } = await tx.selectFrom('accounts').select('balance').where('account_id', '=', main.id).executeTakeFirstOrThrow();
  const lacking = amount > balance ? amount - balance : 0n;
  await transfer(tx, `fund:${carrierId}:${eventId}`, [{ from: main, to: availableOf(carrierId, carrier.currency), amount }, { from: outside(carrier.currency), to: main, amount: lacking }], nowMs);
}

/** Money that is reserved stays: it may still be captured. */
async function returnFunds(tx: Tx, { eventId, carrierId, amount, nowMs }: Parameters<Store['returnFunds']>[0]): Promise<void> {
  const carrier = await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('carrier_id', '=', carrierId).returning(['user_id', 'currency']).executeTakeFirst();
  if (!carrier) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
  const available = availableOf(carrierId, carrier.currency);
  const known = await tx.selectFrom('transfers').select('amount').where('event_id', '=', `return:${carrierId}:${eventId}`).executeTakeFirst();
  const { balance } = await tx.selectFrom('accounts').select('balance').where('account_id', '=', available.id).executeTakeFirstOrThrow();
  if (!known && amount > balance) throw fault('carrier.funds', { amount, left: balance });
  await transfer(tx, `return:${carrierId}:${eventId}`, [{ from: available, to: mainOf(carrier.user_id, carrier.currency), amount }], nowMs);
}

type Verbs = 'putCarrier' | 'fundCarrier' | 'returnFunds' | 'carrier' | 'carriersOf' | 'carrierRev' | 'revisionsSince' | 'addMandate' | 'mandate' | 'mandatesOfDevice' | 'putPayee' | 'payee' | 'setState';

export const delegationVerbs = (db: Database): Pick<Store, Verbs> => ({
  putCarrier: (input) => db.write((tx) => putCarrier(tx, input)),
  fundCarrier: (input) => insist(db, (tx) => fundCarrier(tx, input)),
  returnFunds: (input) => insist(db, (tx) => returnFunds(tx, input)),
  carrier: (carrierId) => db.read((tx) => readCarrier(tx, carrierId)),
  carriersOf: (userId) => db.read((tx) => readCarriersOf(tx, userId)),

  carrierRev: (carrierId, rev) => db.read(async (tx) => {
    const row = await tx.selectFrom('carrier_revs').select('token').where('carrier_id', '=', carrierId).where('rev', '=', BigInt(rev)).executeTakeFirst();
    return row?.token ?? null;
  }),

  revisionsSince: (carrierId, rulesSha256, before) => db.read(async (tx) => {
    const earlier = tx.selectFrom('carrier_revs').where('carrier_id', '=', carrierId).where('rev', '<', BigInt(before));
    const { from } = await earlier.where('rules_sha256', '=', rulesSha256).select((eb) => eb.fn.max('rev').as('from')).executeTakeFirstOrThrow();
    if (from === null) return [];
    return (await earlier.where('rev', '>=', from).select('token').orderBy('rev').limit(REVISIONS_MAX).execute()).map(({ token }) => token);
  }),

  addMandate: (row, outbox) => db.write(async (tx) => {
    await holdManifest(tx, row.manifestSha256);
    await addOnce(tx, 'mandates', { mandate_id: row.mandateId }, {
      mandate_sha256: row.mandateSha256, user_id: row.userId, carrier_id: row.carrierId, device_id: row.deviceId, agent_id: row.agentId,
      manifest_sha256: row.manifestSha256, level: row.level, max_payments: row.maxPayments, token: row.token, exp_ms: row.expMs,
    }, { state: 'valid' });
    await announce(tx, outbox);
  }),

  mandate: (mandateId) => db.read((tx) => readMandate(tx, mandateId)),
  mandatesOfDevice: (deviceId) => db.read((tx) => readMandatesOfDevice(tx, deviceId)),

  putPayee: ({ payeeId, origin, scenario, settleAccount }) => db.write(async (tx) => {
    const facts = { scenario, settle_account: settleAccount };
    await tx.insertInto('payees').values({ payee_id: payeeId, origin, ...facts }).onConflict((c) => c.columns(['payee_id', 'origin']).doUpdateSet(facts)).execute();
  }),

  payee: (payeeId, origin) => db.read((tx) => readPayee(tx, payeeId, origin)),
  setState: (input) => db.write((tx) => setState(tx, input)),
});
