/**
 * The attacker of the demo: a compromised sidecar on the enrolled device. It has the TPM and the keys, proves the platform as the true one does, and then
 * sends evidence of an earlier payment again, as if it were of a new one.
 */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { loadConfig } from '../../daemon/config.js';
import { Session } from '../../daemon/link/session.js';
import { connectLink } from '../../daemon/link/socket.js';
import { openProver } from '../../daemon/tpm/prover.js';
import { loadTrust } from '../../daemon/trust.js';
import { newId } from '../../src/base/id.js';
import { parse } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import { DECISION, type Decision, POLICY } from '../../src/objects/decision.js';
import { open } from '../../src/objects/signed.js';
import { BUILD } from '../../src/version.js';

/** Replays the evidence of a bundle over a WebSocket of its own. @returns what the verifier decided */
export async function replay(configFile: string, bundleText: string): Promise<Decision> {
  const config = loadConfig(configFile);
  const trust = loadTrust(config.verifier.keysFile);
  const log = pino({ level: 'silent' });
  const prover = await openProver({ ...config.tpm, stateDir: config.state.dir }, log);
  let ready = (): void => undefined;
  const greeted = new Promise<void>((done) => { ready = done; });
  const session = new Session({
    prover, log, aud: trust.aud,
    connect: (onMessage) => connectLink(config.verifier.url, undefined, onMessage),
    hello: () => Promise.resolve({ build: BUILD, akName: prover.akName, tier: prover.tier, reason: null, agents: [] }),
    manifest: () => undefined,
    openPolicy: (token) => open(POLICY, token, trust.keys),
    enrolCode: () => null, usedEnrolCode: () => undefined, onMessage: () => undefined, onReady: () => ready(),
  });
  const running = session.run();
  try {
    await greeted;
    const { intent, mandate, closedMandate, evidence } = parse(bundle, bundleText, 'bundle');
    if (!evidence) throw new TypeError('the bundle has no evidence');
    const answer = await session.request('payment', { paymentId: newId('pay', Date.now(), randomBytes(10)), attempt: 1, intent, mandate, closedMandate, evidence: evidence.payment, findings: [] });
    if (answer.type !== 'decision') throw new TypeError(`a ${answer.type} came`);
    return open(DECISION, answer.body.decision, trust.keys).value;
  } finally {
    session.stop();
    await running;
    await prover.close();
  }
}
