/**
 * What a device has proven of itself, moved forward inside a verb's transaction: its nonce, its clock, its measurement log. The adversary is a sidecar that
 * was rolled back, cloned, or shows two histories of one boot; each loses here even when two verifiers judge at the same moment.
 */
import { sql } from 'kysely';
import type { DeviceClock, LogHead, LogRow } from '../../attest/types.js';
import { hitOne, moved, refused, type Tx } from './database.js';
import type { DecideInput } from './verbs.js';

export type Nonce = DecideInput['nonce'];
export type Advance = NonNullable<DecideInput['device']>;

/** @throws Refused nonce.used, nonce.expired: an expired nonce may have been forgotten, so it can not be told from a used one */
export async function spendNonce(tx: Tx, { value, deviceId, purpose, expiresMs }: Nonce, nowMs: number): Promise<void> {
  if (nowMs >= expiresMs) throw refused('nonce.expired');
  const row = { nonce: value, device_id: deviceId, purpose, expires_ms: expiresMs, used_ms: nowMs };
  if (!hitOne(await tx.insertInto('used_nonces').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw refused('nonce.used');
}

const clockColumns = ({ resetCount, restartCount, clock, seq, ctr, attestSha256 }: DeviceClock) =>
  ({ reset_count: resetCount, restart_count: restartCount, clock, seq, ctr, attest_sha256: attestSha256 });

/** The first clock of an attestation key. @throws Refused (retry) when there is one */
export async function startClock(tx: Tx, akName: string, clock: DeviceClock): Promise<void> {
  const row = { ak_name: akName, ...clockColumns(clock) };
  if (!hitOne(await tx.insertInto('device_clock').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
}

/** Compare-and-swap from exactly the clock that the evidence was judged against; never to an earlier sequence number. */
async function moveClock(tx: Tx, akName: string, before: DeviceClock, after: DeviceClock): Promise<void> {
  const written = await tx.updateTable('device_clock').set(clockColumns(after)).where('ak_name', '=', akName)
    .where('seq', '=', BigInt(before.seq)).where('seq', '<=', BigInt(after.seq)).where('clock', '=', before.clock)
    .where('reset_count', '=', BigInt(before.resetCount)).where('restart_count', '=', BigInt(before.restartCount)).executeTakeFirst();
  if (!hitOne(written)) throw moved();
}

/** Entries that are known must be the same; entries that are new must continue what is known without a gap. */
async function appendEntries(tx: Tx, deviceId: string, epoch: string, known: number, entries: LogRow[]): Promise<number> {
  let next = entries[0]?.n ?? known;
  if (next > known) throw refused('log.gap');
  for (const { n, digest, entry } of entries) {
    if (n !== next++) throw refused('log.gap');
    const added = await tx.insertInto('measurements').values({ device_id: deviceId, epoch, n, digest, entry }).onConflict((c) => c.doNothing()).executeTakeFirst();
    if (hitOne(added)) continue;
    const stored = await tx.selectFrom('measurements').select('digest').where('device_id', '=', deviceId).where('epoch', '=', epoch).where('n', '=', BigInt(n)).executeTakeFirst();
    if (stored?.digest !== digest) throw refused('log.fork');
  }
  return Math.max(next, known);
}

/** One boot has one history: an epoch may go on in a later boot (a resume keeps the register), never beside or before another of the same key. */
async function assertNewest(tx: Tx, akName: string, { epoch, resetCount, restartCount }: LogHead): Promise<void> {
  const newer = await tx.selectFrom('measurement_heads').select('epoch').where('ak_name', '=', akName).where('epoch', '<>', epoch)
    .where(sql<boolean>`(reset_count, restart_count) >= (${resetCount}, ${restartCount})`).limit(1).executeTakeFirst();
  if (newer) throw refused('log.fork');
}

/**
 * Takes up the log of one epoch as far as `head` says.
 * @throws Refused log.gap, log.fork (another history of this epoch, or a second epoch of one boot), retry when the log is known further than `head`
 */
export async function takeLog(tx: Tx, { deviceId, akName }: { deviceId: string; akName: string }, head: LogHead, entries: LogRow[]): Promise<void> {
  const stored = await tx.selectFrom('measurement_heads').select(['next_n', 'register']).where('device_id', '=', deviceId).where('epoch', '=', head.epoch).executeTakeFirst();
  const known = Number(stored?.next_n ?? 0n);
  if (head.nextN < known) throw moved();
  await assertNewest(tx, akName, head);
  if (await appendEntries(tx, deviceId, head.epoch, known, entries) !== head.nextN) throw refused('log.gap');
  if (stored && head.nextN === known && stored.register !== head.register) throw refused('log.fork');
  const row = { ak_name: akName, next_n: head.nextN, register: head.register, reset_count: head.resetCount, restart_count: head.restartCount };
  const written = await (stored
    ? tx.updateTable('measurement_heads').set(row).where('device_id', '=', deviceId).where('epoch', '=', head.epoch).where('next_n', '=', BigInt(known)).executeTakeFirst()
    : tx.insertInto('measurement_heads').values({ device_id: deviceId, epoch: head.epoch, ...row }).onConflict((c) => c.doNothing()).executeTakeFirst());
  if (!hitOne(written)) throw moved();
}

/** Moves a device forward by one piece of authentic evidence. A key that was retired meanwhile moves nothing. */
export async function advance(tx: Tx, deviceId: string, { akName, before, after, head, entries }: Advance): Promise<void> {
  const live = await tx.selectFrom('device_keys').select('ak_name').where('ak_name', '=', akName).where('device_id', '=', deviceId).where('retired_ms', 'is', null).executeTakeFirst();
  if (!live) throw moved();
  await (before ? moveClock(tx, akName, before, after) : startClock(tx, akName, after));
  await takeLog(tx, { deviceId, akName }, head, entries);
}
