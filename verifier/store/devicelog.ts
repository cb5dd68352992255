/** A device's measurement log over all its boots, read backwards page by page. */
import { sql } from 'kysely';
import type { Tx } from './database.js';
import type { DeviceLogRow, LogPlace, Store } from './verbs.js';

/** When a live key will be retired: after every other. Above each time in ms. */
const NOT_YET = Number.MAX_SAFE_INTEGER;
/** The order of boots: keys as they were retired, for each counts boots anew; under one key as its TPM counts. */
const boot = sql`(coalesce(retired_ms, ${NOT_YET}), reset_count, restart_count)`;

interface Head { readonly epoch: string; readonly reset_count: bigint; readonly restart_count: bigint }

const headsOf = (tx: Tx, deviceId: string) =>
  tx.selectFrom('measurement_heads').innerJoin('device_keys', 'device_keys.ak_name', 'measurement_heads.ak_name').where('measurement_heads.device_id', '=', deviceId);

/** Boots newest first, from the one of the place on. Each has a record at least: more than are asked for are never looked at. */
async function headsFrom(tx: Tx, deviceId: string, before: LogPlace | null, limit: number): Promise<Head[]> {
  const all = headsOf(tx, deviceId).select(['epoch', 'reset_count', 'restart_count']).orderBy(sql`coalesce(retired_ms, ${NOT_YET})`, 'desc').orderBy('reset_count', 'desc').orderBy('restart_count', 'desc').limit(limit + 1);
  if (before === null) return all.execute();
  const place = await headsOf(tx, deviceId).select([sql<bigint>`coalesce(retired_ms, ${NOT_YET})`.as('retired'), 'reset_count', 'restart_count']).where('epoch', '=', before.epoch).executeTakeFirst();
  return place ? all.where(sql<boolean>`${boot} <= (${place.retired}, ${place.reset_count}, ${place.restart_count})`).execute() : [];
}

export async function readDeviceLog(tx: Tx, { deviceId, before, limit }: Parameters<Store['deviceLog']>[0]): Promise<DeviceLogRow[]> {
  const rows: DeviceLogRow[] = [];
  for (const { epoch, reset_count: resetCount, restart_count: restartCount } of await headsFrom(tx, deviceId, before, limit)) {
    if (rows.length >= limit) break;
    const entries = tx.selectFrom('measurements').select(['n', 'entry']).where('device_id', '=', deviceId).where('epoch', '=', epoch).orderBy('n', 'desc').limit(limit - rows.length);
    const found = await (before?.epoch === epoch ? entries.where('n', '<', BigInt(before.n)) : entries).execute();
    rows.push(...found.map(({ n, entry }) => ({ epoch, n: Number(n), entry, resetCount: Number(resetCount), restartCount: Number(restartCount) })));
  }
  return rows;
}
