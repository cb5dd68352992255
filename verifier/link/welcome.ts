/** The moment a connection is proven: what the device is known as, what it may pay with, and nonces for its first payments. */
import type { Sha256 } from '../../src/base/bytes.js';
import { faultTold, fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Tier } from '../../src/names.js';
import type { Verifier } from '../context.js';
import { mandatesBody } from '../mandates.js';
import type { Connection, Stage } from './connection.js';

interface Proven { readonly deviceId: string; readonly akName: string; readonly hello: LinkBody<'hello'>; readonly tier: Tier; readonly re: string }

export async function welcome(v: Verifier, connection: Connection, { deviceId, akName, hello, tier, re }: Proven): Promise<void> {
  const device = await v.store.deviceById(deviceId);
  if (!device) throw fault('device.unknown', { akName });
  connection.stage = { name: 'proven', hello, deviceId, akName, tier };
  await v.store.stopAllowances(deviceId);
  const manifests = await lacking(v, hello);
  await keepAgents(v, connection, deviceId, hello);
  connection.send('welcome', { deviceId, device: device.record, aud: v.config.issuers.verifier, nowMs: v.now(), simulated: device.simulated, tier, manifests }, re);
  v.hub.join(deviceId, connection, v.now());
  connection.send('mandates', await mandatesBody(v, deviceId));
  for (const { paymentId, token } of await v.store.unusedConfirmations(deviceId)) connection.send('confirmed', { paymentId, confirmation: token });
  const { lifeS, pool } = v.config.nonce;
  const refill = (): void => {
    connection.givePaymentNonces(pool);
    connection.givePlatformNonces(2);
  };
  refill();
  connection.every(lifeS * 500, refill);
}

/** The manifests of greeted agents that were never brought. */
async function lacking(v: Verifier, { agents }: LinkBody<'hello'>): Promise<Sha256[]> {
  const named = [...new Set(agents.map(({ manifestSha256 }) => manifestSha256))];
  const standing = await Promise.all(named.map((each) => v.store.manifestStanding(each)));
  return named.filter((_, n) => standing[n] === null);
}

/** The agents of a proven device whose manifests are here. One whose manifest was revoked, is for another agent or not signed by a trusted publisher is not kept, and the device is told. */
async function keepAgents(v: Verifier, connection: Connection, deviceId: string, { agents }: LinkBody<'hello'>): Promise<void> {
  const kept = [];
  for (const { agentId, manifestSha256, jwk } of agents) {
    const standing = await v.store.manifestStanding(manifestSha256);
    if (standing === null) continue;
    if (standing.revokedMs !== null) connection.send('revoked', { subject: manifestSha256, state: 'revoked' });
    else if ((await v.manifests.of(manifestSha256))?.value.agent.id === agentId) kept.push({ agentId, manifestSha256, jwk: JSON.stringify(jwk) });
    else connection.refuse(faultTold('agent.manifest', `agent ${agentId}: its manifest is not signed by a known publisher`), null);
  }
  await v.store.setDeviceAgents(deviceId, kept);
}

/**
 * A page of a manifest that a greeted agent named. With the last one the agent is kept, and the device is told what it may pay with.
 * @throws Fault link.protocol, link.busy, agent.manifest
 */
export async function takeManifest(v: Verifier, connection: Connection, { deviceId, hello }: Extract<Stage, { name: 'proven' }>, page: LinkBody<'manifest'>): Promise<void> {
  const { manifestSha256 } = page;
  if (!hello.agents.some((each) => each.manifestSha256 === manifestSha256)) throw fault('link.protocol', { what: 'a manifest of no agent that was greeted' });
  const token = connection.manifest.add(page);
  if (token === null) return;
  await v.manifests.add(manifestSha256, token);
  await keepAgents(v, connection, deviceId, hello);
  connection.send('mandates', await mandatesBody(v, deviceId));
}
