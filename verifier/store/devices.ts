/** Enrolled devices and the agents they say they serve. */
import { type Database, hitOne, type Tx } from './database.js';
import { enqueue } from './queue.js';
import type { DeviceRow, Store } from './verbs.js';

const devices = (tx: Tx) => tx.selectFrom('devices').innerJoin('device_keys', 'device_keys.device_id', 'devices.device_id')
  .select(['devices.device_id', 'user_id', 'state', 'simulated', 'ak_name', 'record', 'retired_ms']);
type Found = NonNullable<Awaited<ReturnType<ReturnType<typeof devices>['executeTakeFirst']>>>;

/** A retired key speaks for a revoked device, whatever became of the device since. */
const deviceRow = (row: Found | undefined): DeviceRow | null =>
  row ? { deviceId: row.device_id, userId: row.user_id, state: row.retired_ms === null ? row.state : 'revoked', simulated: row.simulated === 1n, akName: row.ak_name, record: row.record } : null;

type Verbs = 'deviceByAk' | 'deviceById' | 'bindUser' | 'usersOfDevice' | 'setDeviceAgents' | 'deviceAgents';

export const deviceVerbs = (db: Database): Pick<Store, Verbs> => ({
  deviceByAk: (akName) => db.read(async (tx) => deviceRow(await devices(tx).where('ak_name', '=', akName).executeTakeFirst())),

  deviceById: (deviceId) => db.read(async (tx) => deviceRow(await devices(tx).where('devices.device_id', '=', deviceId).where('retired_ms', 'is', null).executeTakeFirst())),

  bindUser: ({ deviceId, userId, leaf, nowMs }) => db.write(async (tx) => {
    const added = await tx.insertInto('device_users').values({ device_id: deviceId, user_id: userId, from_ms: nowMs }).onConflict((c) => c.doNothing()).executeTakeFirst();
    if (hitOne(added)) await enqueue(tx, leaf, nowMs);
  }),

  usersOfDevice: (deviceId) => db.read(async (tx) => {
    const owner = await tx.selectFrom('devices').select('user_id').where('device_id', '=', deviceId).executeTakeFirst();
    const others = await tx.selectFrom('device_users').select('user_id').where('device_id', '=', deviceId).orderBy('user_id').execute();
    return [...new Set([owner?.user_id ?? [], others.map(({ user_id }) => user_id)].flat())];
  }),

  setDeviceAgents: (deviceId, agents) => db.write(async (tx) => {
    await tx.updateTable('devices').set((eb) => ({ state: eb.ref('state') })).where('device_id', '=', deviceId).execute(); // two connections of one device, one after the other
    await tx.deleteFrom('device_agents').where('device_id', '=', deviceId).execute();
    for (const { agentId, manifestSha256, jwk } of agents) {
      await tx.insertInto('device_agents').values({ device_id: deviceId, agent_id: agentId, manifest_sha256: manifestSha256, jwk }).execute();
    }
  }),

  deviceAgents: (deviceId) => db.read((tx) =>
    tx.selectFrom('device_agents').select(['agent_id as agentId', 'manifest_sha256 as manifestSha256', 'jwk']).where('device_id', '=', deviceId).orderBy('agent_id').orderBy('manifest_sha256').execute()),
});
