/** The moment a connection is proven: what the device is known as, what it may pay with, and nonces for its first payments. */
import { faultTold, fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Tier } from '../../src/names.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { open } from '../../src/objects/signed.js';
import type { Verifier } from '../context.js';
import { mandatesBody } from '../mandates.js';
import type { Connection } from './connection.js';

interface Proven { readonly deviceId: string; readonly akName: string; readonly hello: LinkBody<'hello'>; readonly tier: Tier; readonly re: string }

export async function welcome(v: Verifier, connection: Connection, { deviceId, akName, hello, tier, re }: Proven): Promise<void> {
  const device = await v.store.deviceById(deviceId);
  if (!device) throw fault('device.unknown', { akName });
  connection.stage = { name: 'proven', hello, deviceId, akName, tier };
  await v.store.stopAllowances(deviceId);
  await keepAgents(v, connection, deviceId, hello);
  connection.send('welcome', { deviceId, device: device.record, aud: v.config.issuers.verifier, nowMs: v.now(), simulated: device.simulated, tier }, re);
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

/** The agents of a proven device. One whose manifest no trusted publisher signed is not kept, and the device is told. */
async function keepAgents(v: Verifier, connection: Connection, deviceId: string, hello: LinkBody<'hello'>): Promise<void> {
  const agents = [];
  for (const { agentId, manifest, jwk } of hello.agents) {
    try {
      const opened = open(AGENT_MANIFEST, manifest, v.trust.keys);
      const { id, version } = opened.value.agent;
      if (id !== agentId) throw fault('agent.manifest');
      await v.store.addManifest({ manifestSha256: opened.sha256, agentId, version, token: manifest });
      agents.push({ agentId, manifestSha256: opened.sha256, jwk: JSON.stringify(jwk) });
    } catch {
      connection.refuse(faultTold('agent.manifest', `agent ${agentId}: its manifest is not signed by a known publisher`), null);
    }
  }
  await v.store.setDeviceAgents(deviceId, agents);
}
