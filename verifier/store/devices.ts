/** Enrolled devices and the agents they say they serve. */
import type { Database, Tx } from './database.js';
import type { DeviceRow, Store } from './verbs.js';

const devices = (tx: Tx) => tx.selectFrom('devices').innerJoin('device_keys', 'device_keys.device_id', 'devices.device_id')
  .select(['devices.device_id', 'user_id', 'state', 'simulated', 'ak_name', 'record', 'retired_ms']);
type Found = NonNullable<Awaited<ReturnType<ReturnType<typeof devices>['executeTakeFirst']>>>;

/** A retired key speaks for a revoked device, whatever became of the device since. */
const deviceRow = (row: Found | undefined): DeviceRow | null =>
  row ? { deviceId: row.device_id, userId: row.user_id, state: row.retired_ms === null ? row.state : 'revoked', simulated: row.simulated === 1n, akName: row.ak_name, record: row.record } : null;

type Verbs = 'deviceByAk' | 'deviceById' | 'setDeviceAgents' | 'deviceAgents';

export const deviceVerbs = (db: Database): Pick<Store, Verbs> => ({
  deviceByAk: (akName) => db.read(async (tx) => deviceRow(await devices(tx).where('ak_name', '=', akName).executeTakeFirst())),

  deviceById: (deviceId) => db.read(async (tx) => deviceRow(await devices(tx).where('devices.device_id', '=', deviceId).where('retired_ms', 'is', null).executeTakeFirst())),

  setDeviceAgents: (deviceId, agents) => db.write(async (tx) => {
    await tx.deleteFrom('device_agents').where('device_id', '=', deviceId).execute();
    for (const { agentId, manifestSha256, jwk } of agents) {
      await tx.insertInto('device_agents').values({ device_id: deviceId, agent_id: agentId, manifest_sha256: manifestSha256, jwk }).execute();
    }
  }),

  deviceAgents: (deviceId) => db.read((tx) =>
    tx.selectFrom('device_agents').select(['agent_id as agentId', 'manifest_sha256 as manifestSha256', 'jwk']).where('device_id', '=', deviceId).orderBy('agent_id').orderBy('manifest_sha256').execute()),
});
