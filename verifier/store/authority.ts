/** Carriers, mandates and payees as they stand, read inside a transaction. */
import { sql } from 'kysely';
import { availableOf } from './ledger.js';
import type { Tx } from './database.js';
import { heldBy } from './offline.js';
import type { CarrierRow, MandateRow, Store } from './verbs.js';

const carriers = (tx: Tx) => tx.selectFrom('carriers')
  .innerJoin('carrier_revs', (join) => join.onRef('carrier_revs.carrier_id', '=', 'carriers.carrier_id').onRef('carrier_revs.rev', '=', 'carriers.rev'))
  .select(['carriers.carrier_id', 'user_id', 'currency', 'state', 'carriers.rev', 'total_max', 'reserved', 'spent', 'state_seq', 'token'])
  .select((eb) => eb.selectFrom('accounts').select('balance').where('account_id', '=', sql<string>`${sql.lit(availableOf('', '').id)} || carriers.carrier_id`).as('available'));
type CarrierFound = NonNullable<Awaited<ReturnType<ReturnType<typeof carriers>['executeTakeFirst']>>>;

const carrierRow = (row: CarrierFound): CarrierRow => ({
  carrierId: row.carrier_id, userId: row.user_id, currency: row.currency, state: row.state, rev: Number(row.rev), totalMax: row.total_max,
  reserved: row.reserved, spent: row.spent, available: row.available ?? 0n, stateSeq: Number(row.state_seq), token: row.token,
});

export async function readCarrier(tx: Tx, carrierId: string): Promise<CarrierRow | null> {
  const row = await carriers(tx).where('carriers.carrier_id', '=', carrierId).executeTakeFirst();
  return row ? carrierRow(row) : null;
}

export const readCarriersOf = async (tx: Tx, userId: string): Promise<CarrierRow[]> =>
  (await carriers(tx).where('user_id', '=', userId).orderBy('carriers.carrier_id').execute()).map(carrierRow);

const mandates = (tx: Tx) => tx.selectFrom('mandates').selectAll('mandates')
  .select((eb) => eb.selectFrom('mandate_uses').select((use) => use.fn.countAll<bigint>().as('n')).whereRef('mandate_uses.mandate_id', '=', 'mandates.mandate_id').where('mandate_uses.state', '<>', 'freed').as('uses'))
  .select((eb) => eb.selectFrom('manifests').select('revoked_ms').whereRef('manifests.manifest_sha256', '=', 'mandates.manifest_sha256').as('manifest_revoked_ms'));
type MandateFound = NonNullable<Awaited<ReturnType<ReturnType<typeof mandates>['executeTakeFirst']>>>;

const mandateRow = (row: MandateFound): MandateRow => ({
  mandateId: row.mandate_id, mandateSha256: row.mandate_sha256, userId: row.user_id, carrierId: row.carrier_id, deviceId: row.device_id, agentId: row.agent_id,
  manifestSha256: row.manifest_sha256, level: row.level, maxPayments: row.max_payments === null ? null : Number(row.max_payments), token: row.token,
  state: row.state, expMs: Number(row.exp_ms), uses: Number(row.uses ?? 0n), manifestRevoked: row.manifest_revoked_ms !== null,
});

export async function readMandate(tx: Tx, mandateId: string): Promise<MandateRow | null> {
  const row = await mandates(tx).where('mandate_id', '=', mandateId).executeTakeFirst();
  return row ? mandateRow(row) : null;
}

export const readMandatesOfDevice = async (tx: Tx, deviceId: string): Promise<MandateRow[]> =>
  (await mandates(tx).where('device_id', '=', deviceId).orderBy('mandate_id').execute()).map(mandateRow);

/** Without an origin the id alone must name the payee: when it names two, nobody vouches. */
export async function readPayee(tx: Tx, payeeId: string, origin: string | null): Promise<{ scenario: string; settleAccount: string } | null> {
  const byId = tx.selectFrom('payees').select(['scenario', 'settle_account as settleAccount']).where('payee_id', '=', payeeId);
  const rows = await (origin === null ? byId : byId.where('origin', '=', origin)).limit(2).execute();
  return rows.length === 1 ? (rows[0] ?? null) : null;
}

/** What a carrier paid or holds for payments since a time: what was released again does not count. */
async function windowSince(tx: Tx, carrierId: string, fromMs: number): Promise<{ spent: bigint; count: number }> {
  const row = await tx.selectFrom('reservations')
    .select([sql<bigint>`cast(coalesce(sum(amount - released), 0) as bigint)`.as('spent'), sql<bigint>`count(*)`.as('count')])
    .where('carrier_id', '=', carrierId).where('created_ms', '>=', BigInt(fromMs)).whereRef('released', '<', 'amount').executeTakeFirstOrThrow();
  return { spent: row.spent, count: Number(row.count) };
}

/** All moving numbers of a decision in one consistent read. What offline allowances hold counts as spent in every window: it may be, at any moment. The reservation later holds them by the carrier's `state_seq`. */
export async function readAuthority(tx: Tx, { carrierId, mandateId, payee, windowsFromMs }: Parameters<Store['authority']>[0]): ReturnType<Store['authority']> {
  const carrier = await readCarrier(tx, carrierId);
  const mandate = mandateId === null ? null : await readMandate(tx, mandateId);
  const offline = await heldBy(tx, carrierId);
  const windows = [];
  for (const fromMs of windowsFromMs) {
    const { spent, count } = await windowSince(tx, carrierId, fromMs);
    windows.push({ spent: spent + offline.total, count: count + offline.count });
  }
  const scenario = (await readPayee(tx, payee.id, payee.origin))?.scenario ?? null;
  return {
    carrier, mandate,
    state: {
      carrier: carrier && { carrierId, rev: carrier.rev, state: carrier.state, stateSeq: carrier.stateSeq, totalMax: carrier.totalMax, available: carrier.available, reserved: carrier.reserved, spent: carrier.spent },
      mandate: mandate && { mandateId: mandate.mandateId, state: mandate.state, uses: mandate.uses, ...(mandate.manifestRevoked && { manifestRevoked: true as const }) },
      windows, scenario,
    },
  };
}
