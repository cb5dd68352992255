/** Freshness and history as verbs: nonces are used once, a device's clock and log only move forward. Called by the link and the appraisal. */
import type { DeviceClock, LogHead } from '../../attest/types.js';
import { type Database, outcome, type Tx } from './database.js';
import { readDeviceLog } from './devicelog.js';
import { advance, spendNonce } from './history.js';
import type { ImaListRow, Store } from './verbs.js';

const HEAD = ['epoch', 'next_n', 'register', 'reset_count', 'restart_count'] as const;
type HeadRow = { epoch: string; next_n: bigint; register: string; reset_count: bigint; restart_count: bigint };
const headOf = (row: HeadRow | undefined): LogHead | null =>
  row ? { epoch: row.epoch, nextN: Number(row.next_n), register: row.register, resetCount: Number(row.reset_count), restartCount: Number(row.restart_count) } : null;

async function readClock(tx: Tx, akName: string): Promise<DeviceClock | null> {
  const row = await tx.selectFrom('device_clock').selectAll().where('ak_name', '=', akName).executeTakeFirst();
  return row ? { resetCount: Number(row.reset_count), restartCount: Number(row.restart_count), clock: row.clock, seq: Number(row.seq), ctr: row.ctr, attestSha256: row.attest_sha256 } : null;
}

/** In the transaction that moved the clock of this key: two connections of a device do not write over each other unseen. */
async function keepImaList(tx: Tx, akName: string, { resetCount, standing }: ImaListRow): Promise<void> {
  const row = { reset_count: resetCount, standing };
  await tx.insertInto('ima_lists').values({ ak_name: akName, ...row }).onConflict((c) => c.column('ak_name').doUpdateSet(row)).execute();
}

type Verbs = 'consumeNonce' | 'clock' | 'logHead' | 'latestHead' | 'logEntries' | 'deviceLog' | 'acceptPlatform' | 'platform' | 'imaList';

export const freshnessVerbs = (db: Database): Pick<Store, Verbs> => ({
  consumeNonce: async (nonce, nowMs) => (await outcome(db.write((tx) => spendNonce(tx, nonce, nowMs)))).ok,

  clock: (akName) => db.read((tx) => readClock(tx, akName)),

  logHead: (deviceId, epoch) => db.read(async (tx) =>
    headOf(await tx.selectFrom('measurement_heads').select(HEAD).where('device_id', '=', deviceId).where('epoch', '=', epoch).executeTakeFirst())),

  /** The newest boot under the device's live key: a new key begins a new count of boots. */
  latestHead: (deviceId) => db.read(async (tx) =>
    headOf(await tx.selectFrom('measurement_heads').innerJoin('device_keys', 'device_keys.ak_name', 'measurement_heads.ak_name').select(HEAD)
      .where('measurement_heads.device_id', '=', deviceId).where('retired_ms', 'is', null).orderBy('reset_count', 'desc').orderBy('restart_count', 'desc').limit(1).executeTakeFirst())),

  logEntries: (deviceId, epoch, from, to) => db.read(async (tx) => {
    const rows = await tx.selectFrom('measurements').select(['n', 'digest', 'entry']).where('device_id', '=', deviceId).where('epoch', '=', epoch)
      .where('n', '>=', BigInt(from)).where('n', '<', BigInt(to)).orderBy('n').execute();
    return rows.map((row) => ({ ...row, n: Number(row.n) }));
  }),

  deviceLog: (asked) => db.read((tx) => readDeviceLog(tx, asked)),

  acceptPlatform: async ({ nonce, device, deviceId, platformSha256, evidence, appraisal, ima, nowMs }) => {
    const accepted = await outcome(db.write(async (tx) => {
      await spendNonce(tx, nonce, nowMs);
      await advance(tx, deviceId, device);
      await tx.insertInto('platforms').values({ platform_sha256: platformSha256, device_id: deviceId, evidence, appraisal, seen_ms: nowMs }).onConflict((c) => c.doNothing()).execute();
      if (ima) await keepImaList(tx, device.akName, ima);
    }));
    return accepted.ok;
  },

  platform: (platformSha256) => db.read(async (tx) => {
    const row = await tx.selectFrom('platforms').selectAll().where('platform_sha256', '=', platformSha256).executeTakeFirst();
    return row ? { deviceId: row.device_id, evidence: row.evidence, appraisal: row.appraisal, seenMs: Number(row.seen_ms) } : null;
  }),

  imaList: (akName) => db.read(async (tx) => {
    const row = await tx.selectFrom('ima_lists').select(['reset_count', 'standing']).where('ak_name', '=', akName).executeTakeFirst();
    return row ? { resetCount: Number(row.reset_count), standing: row.standing } : null;
  }),
});
