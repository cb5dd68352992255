/**
 * Enrolment as verbs: codes and sessions are used once; one live device per TPM and one live key per device, decided by the schema. A code is reserved
 * for one TPM while its session lasts and is used by the transaction that records the device: what fails before that leaves it good.
 */
import { fault } from '../../src/base/fault.js';
import { type Database, hitOne, outcome, type Tx } from './database.js';
import { advance, startClock, takeLog } from './history.js';
import { enqueue } from './queue.js';
import type { EnrolCode, EnrolInput, Store } from './verbs.js';

interface Live { deviceId: string; akName: string; userId: string | null }

const liveDevice = (tx: Tx, ekSha256: string): Promise<Live | undefined> => tx.selectFrom('devices').innerJoin('device_keys', 'device_keys.device_id', 'devices.device_id')
  .select(['devices.device_id as deviceId', 'ak_name as akName', 'user_id as userId'])
  .where('ek_sha256', '=', ekSha256).where('state', '<>', 'revoked').where('retired_ms', 'is', null).executeTakeFirst();

const codeOf = (row: { user_id: string; re_enrol: bigint } | undefined): EnrolCode | null => (row ? { userId: row.user_id, reEnrol: row.re_enrol === 1n } : null);

/** A code that is reserved for this very TPM: another one that reserved it since has it now. */
async function spendCode(tx: Tx, { codeSha256, ekSha256, nowMs }: EnrolInput): Promise<EnrolCode> {
  const used = codeOf(await tx.updateTable('enrol_codes').set({ used_ms: nowMs }).where('code_sha256', '=', codeSha256).where('ek_sha256', '=', ekSha256)
    .where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs)).returning(['user_id', 're_enrol']).executeTakeFirst());
  if (!used) throw fault('enrol.code');
  return used;
}

/** A known TPM keeps its device; that takes a code for re-enrolment from the same user. */
function assertConsent(known: Live, { deviceId }: EnrolInput, { userId, reEnrol }: EnrolCode): void {
  if (!reEnrol || known.deviceId !== deviceId || known.userId !== userId) throw fault('enrol.device_conflict');
}

async function addDevice(tx: Tx, { deviceId, ekSha256, providerSha256, simulated, nowMs }: EnrolInput, { userId }: EnrolCode): Promise<void> {
  const row = { device_id: deviceId, ek_sha256: ekSha256, provider_sha256: providerSha256, user_id: userId, state: 'enrolled' as const, simulated: simulated ? 1 : 0, enrolled_ms: nowMs };
  if (!hitOne(await tx.insertInto('devices').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw fault('enrol.device_conflict');
}

/** What vouches for a known TPM now. A cloud's key that is another device's stays with it. */
async function renewDevice(tx: Tx, { deviceId, providerSha256, simulated }: EnrolInput): Promise<void> {
  const other = providerSha256 === null ? undefined
    : await tx.selectFrom('devices').select('device_id').where('provider_sha256', '=', providerSha256).where('state', '<>', 'revoked').where('device_id', '<>', deviceId).executeTakeFirst();
  if (other) throw fault('enrol.device_conflict');
  await tx.updateTable('devices').set({ simulated: simulated ? 1 : 0, ...(providerSha256 !== null && { provider_sha256: providerSha256 }) }).where('device_id', '=', deviceId).execute();
}

/** A new key, in place of the one that the device had. */
async function takeKey(tx: Tx, { deviceId, akName, record, clock, head, entries, nowMs }: EnrolInput): Promise<void> {
  await tx.updateTable('device_keys').set({ retired_ms: nowMs }).where('device_id', '=', deviceId).where('retired_ms', 'is', null).execute();
  const key = { ak_name: akName, device_id: deviceId, record, from_ms: nowMs };
  if (!hitOne(await tx.insertInto('device_keys').values(key).onConflict((c) => c.doNothing()).executeTakeFirst())) throw fault('enrol.device_conflict');
  await startClock(tx, akName, clock);
  await takeLog(tx, { deviceId, akName }, head, entries);
}

/** A new record for the key that the device has, whose clock and history go on: a re-enrolment washes no rollback clean. */
async function renewRecord(tx: Tx, { deviceId, akName, record, before, clock, head, entries }: EnrolInput): Promise<void> {
  await tx.updateTable('device_keys').set({ record }).where('ak_name', '=', akName).execute();
  await advance(tx, deviceId, { akName, before, after: clock, head, entries });
}

async function enrol(tx: Tx, input: EnrolInput): Promise<void> {
  const code = await spendCode(tx, input);
  const known = await liveDevice(tx, input.ekSha256);
  if (known) {
    assertConsent(known, input, code);
    await renewDevice(tx, input);
  } else await addDevice(tx, input, code);
  await (known?.akName === input.akName ? renewRecord(tx, input) : takeKey(tx, input));
  await enqueue(tx, input.leaf, input.nowMs);
}

type Verbs = 'addEnrolCode' | 'enrolCode' | 'useEnrolCode' | 'openEnrolSession' | 'useEnrolSession' | 'deviceOfEk' | 'enrol';

export const enrolmentVerbs = (db: Database): Pick<Store, Verbs> => ({
  addEnrolCode: ({ codeSha256, userId, expiresMs, reEnrol }) => db.write(async (tx) => {
    await tx.insertInto('enrol_codes').values({ code_sha256: codeSha256, user_id: userId, re_enrol: reEnrol ? 1 : 0, expires_ms: expiresMs }).execute();
  }),

  enrolCode: (codeSha256, nowMs) => db.read(async (tx) => codeOf(
    await tx.selectFrom('enrol_codes').select(['user_id', 're_enrol']).where('code_sha256', '=', codeSha256).where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs)).executeTakeFirst())),

  useEnrolCode: (codeSha256, nowMs) => db.write(async (tx) => codeOf(
    await tx.updateTable('enrol_codes').set({ used_ms: nowMs }).where('code_sha256', '=', codeSha256).where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs))
      .returning(['user_id', 're_enrol']).executeTakeFirst())),

  openEnrolSession: ({ sessionId, ekSha256, akName, secretMac, codeSha256, expiresMs, nowMs }) => db.write(async (tx) => {
    const reserved = await tx.updateTable('enrol_codes').set({ ek_sha256: ekSha256, reserved_ms: expiresMs }).where('code_sha256', '=', codeSha256).where('used_ms', 'is', null)
      .where('expires_ms', '>', BigInt(nowMs)).where((is) => is.or([is('ek_sha256', 'is', null), is('ek_sha256', '=', ekSha256), is('reserved_ms', '<=', BigInt(nowMs))])).executeTakeFirst();
    if (!hitOne(reserved)) return false;
    await tx.insertInto('enrol_sessions').values({ session_id: sessionId, ek_sha256: ekSha256, ak_name: akName, secret_mac: secretMac, code_sha256: codeSha256, expires_ms: expiresMs }).execute();
    return true;
  }),

  useEnrolSession: (sessionId, nowMs) => db.write(async (tx) => {
    const used = await tx.updateTable('enrol_sessions').set({ used_ms: nowMs }).where('session_id', '=', sessionId).where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs))
      .returning(['ek_sha256 as ekSha256', 'ak_name as akName', 'secret_mac as secretMac', 'code_sha256 as codeSha256']).executeTakeFirst();
    return used ?? null;
  }),

  deviceOfEk: (ekSha256) => db.read(async (tx) => {
    const known = await liveDevice(tx, ekSha256);
    return known ? { deviceId: known.deviceId, akName: known.akName } : null;
  }),

  enrol: async (input) => {
    const { ok } = await outcome(db.write((tx) => enrol(tx, input)));
    if (!ok) throw fault('enrol.device_conflict');
  },
});
