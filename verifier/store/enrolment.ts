/** Enrolment as verbs: codes and sessions are used once; one live device per TPM and one live key per device, decided by the schema. */
import { fault } from '../../src/base/fault.js';
import { type Database, hitOne, outcome, type Tx } from './database.js';
import { startClock, takeLog } from './history.js';
import { enqueue } from './queue.js';
import type { Store } from './verbs.js';

type Enrolment = Parameters<Store['enrol']>[0];

const liveDevice = (tx: Tx, ekSha256: string) => tx.selectFrom('devices').innerJoin('device_keys', 'device_keys.device_id', 'devices.device_id')
  .select(['devices.device_id as deviceId', 'ak_name as akName', 'user_id as userId'])
  .where('ek_sha256', '=', ekSha256).where('state', '<>', 'revoked').where('retired_ms', 'is', null).executeTakeFirst();

/** A known TPM keeps its device and loses its old key; that takes a code for re-enrolment from the same user. */
async function retireOldKey(tx: Tx, known: { deviceId: string; userId: string | null }, { deviceId, userId, reEnrol, nowMs }: Enrolment): Promise<void> {
  if (!reEnrol || known.deviceId !== deviceId || known.userId !== userId) throw fault('enrol.device_conflict');
  await tx.updateTable('device_keys').set({ retired_ms: nowMs }).where('device_id', '=', deviceId).where('retired_ms', 'is', null).execute();
}

async function addDevice(tx: Tx, { deviceId, ekSha256, userId, simulated, nowMs }: Enrolment): Promise<void> {
  const row = { device_id: deviceId, ek_sha256: ekSha256, user_id: userId, state: 'enrolled' as const, simulated: simulated ? 1 : 0, enrolled_ms: nowMs };
  if (!hitOne(await tx.insertInto('devices').values(row).onConflict((c) => c.doNothing()).executeTakeFirst())) throw fault('enrol.device_conflict');
}

async function enrol(tx: Tx, input: Enrolment): Promise<void> {
  const { deviceId, akName, record, clock, head, entries, nowMs } = input;
  const known = await liveDevice(tx, input.ekSha256);
  await (known ? retireOldKey(tx, known, input) : addDevice(tx, input));
  const key = { ak_name: akName, device_id: deviceId, record, from_ms: nowMs };
  if (!hitOne(await tx.insertInto('device_keys').values(key).onConflict((c) => c.doNothing()).executeTakeFirst())) throw fault('enrol.device_conflict');
  await startClock(tx, akName, clock);
  if (head) await takeLog(tx, { deviceId, akName }, head, entries);
  await enqueue(tx, input.leaf, nowMs);
}

type Verbs = 'addEnrolCode' | 'useEnrolCode' | 'openEnrolSession' | 'useEnrolSession' | 'deviceOfEk' | 'enrol';

export const enrolmentVerbs = (db: Database): Pick<Store, Verbs> => ({
  addEnrolCode: ({ codeSha256, userId, expiresMs, reEnrol }) => db.write(async (tx) => {
    await tx.insertInto('enrol_codes').values({ code_sha256: codeSha256, user_id: userId, re_enrol: reEnrol ? 1 : 0, expires_ms: expiresMs }).execute();
  }),

  useEnrolCode: (codeSha256, nowMs) => db.write(async (tx) => {
    const used = await tx.updateTable('enrol_codes').set({ used_ms: nowMs }).where('code_sha256', '=', codeSha256).where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs))
      .returning(['user_id', 're_enrol']).executeTakeFirst();
    return used ? { userId: used.user_id, reEnrol: used.re_enrol === 1n } : null;
  }),

  openEnrolSession: ({ sessionId, ekSha256, akName, secretMac, body, expiresMs }) => db.write(async (tx) => {
    await tx.insertInto('enrol_sessions').values({ session_id: sessionId, ek_sha256: ekSha256, ak_name: akName, secret_mac: secretMac, body, expires_ms: expiresMs }).execute();
  }),

  useEnrolSession: (sessionId, nowMs) => db.write(async (tx) => {
    const used = await tx.updateTable('enrol_sessions').set({ used_ms: nowMs }).where('session_id', '=', sessionId).where('used_ms', 'is', null).where('expires_ms', '>', BigInt(nowMs))
      .returning(['ek_sha256 as ekSha256', 'ak_name as akName', 'secret_mac as secretMac', 'body']).executeTakeFirst();
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
