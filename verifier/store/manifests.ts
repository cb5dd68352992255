/**
 * Manifests as verbs. A version that is revoked takes the mandates that name it with it, in one transaction: a permit holds its mandate's row, so that after
 * the answer nothing more is permitted, and no payment need hold a row that all payments of the version would wait for.
 */
import type { Selectable } from 'kysely';
import { fault } from '../../src/base/fault.js';
import { addOnce, type Database, hitOne, type Tx } from './database.js';
import { announce } from './outbox.js';
import { enqueue } from './queue.js';
import { endStatuses } from './statuses.js';
import type { Tables } from './tables.js';
import type { Store } from './verbs.js';

type Found = Pick<Selectable<Tables['manifests']>, 'agent_id' | 'version' | 'revoked_ms'>;
const standingOf = ({ agent_id: agentId, version, revoked_ms: revokedMs }: Found) => ({ agentId, version, revokedMs: revokedMs === null ? null : Number(revokedMs) });

/** For a mandate that is about to be written: held to the end, so that it is written before the version is revoked, or not at all. @throws Fault manifest.revoked */
export async function holdManifest(tx: Tx, manifestSha256: string): Promise<void> {
  const held = await tx.updateTable('manifests').set((eb) => ({ version: eb.ref('version') })).where('manifest_sha256', '=', manifestSha256).returning('revoked_ms').executeTakeFirst();
  if (held && held.revoked_ms !== null) throw fault('manifest.revoked');
}

/** Order of locks: manifest, then as a permit does it: carriers, mandates. */
async function revokeManifest(tx: Tx, { manifestSha256, leaf, outbox, nowMs }: Parameters<Store['revokeManifest']>[0]): Promise<boolean> {
  const written = await tx.updateTable('manifests').set({ revoked_ms: nowMs }).where('manifest_sha256', '=', manifestSha256).where('revoked_ms', 'is', null).executeTakeFirst();
  if (!hitOne(written)) return (await tx.selectFrom('manifests').select('version').where('manifest_sha256', '=', manifestSha256).executeTakeFirst()) !== undefined;
  const live = tx.selectFrom('mandates').where('manifest_sha256', '=', manifestSha256).where('state', 'in', ['valid', 'suspended']);
  await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('carrier_id', 'in', live.select('carrier_id')).execute();
  await endStatuses(tx, live.select('mandate_id'), nowMs);
  await tx.updateTable('mandates').set({ state: 'revoked' }).where('manifest_sha256', '=', manifestSha256).where('state', 'in', ['valid', 'suspended']).execute();
  await enqueue(tx, leaf, nowMs);
  await announce(tx, outbox);
  return true;
}

const devicesRunning = async (tx: Tx, manifestSha256: string): Promise<string[]> =>
  (await tx.selectFrom('device_agents').select('device_id').where('manifest_sha256', '=', manifestSha256)
    .union(tx.selectFrom('mandates').select('device_id').where('manifest_sha256', '=', manifestSha256).where('state', 'in', ['valid', 'suspended'])).execute()).map(({ device_id: deviceId }) => deviceId).sort();

type Verbs = 'addManifest' | 'manifest' | 'manifestStanding' | 'revokeManifest' | 'devicesRunning';

export const manifestVerbs = (db: Database): Pick<Store, Verbs> => ({
  addManifest: ({ manifestSha256, agentId, version, token }) => db.write((tx) => addOnce(tx, 'manifests', { manifest_sha256: manifestSha256 }, { agent_id: agentId, version, token })),

  manifest: (manifestSha256) => db.read(async (tx) => {
    const row = await tx.selectFrom('manifests').selectAll().where('manifest_sha256', '=', manifestSha256).executeTakeFirst();
    return row ? { token: row.token, ...standingOf(row) } : null;
  }),

  manifestStanding: (manifestSha256) => db.read(async (tx) => {
    const row = await tx.selectFrom('manifests').select(['agent_id', 'version', 'revoked_ms']).where('manifest_sha256', '=', manifestSha256).executeTakeFirst();
    return row ? standingOf(row) : null;
  }),

  revokeManifest: (input) => db.write((tx) => revokeManifest(tx, input)),
  devicesRunning: (manifestSha256) => db.read((tx) => devicesRunning(tx, manifestSha256)),
});
