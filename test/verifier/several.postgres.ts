/** Two verifier processes on one PostgreSQL database, and a sidecar whose verifier goes away: it pays at whichever it reaches. */
import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verifyBundle } from '../../attest/bundle.js';
import type { Fault } from '../../src/base/fault.js';
import { readLeaf } from '../../src/deposit/chain.js';
import { type RunningVerifier, startVerifier } from '../../verifier/main.js';
import { Sidecar } from '../support/sidecar.js';

let sidecar: Sidecar;
let first: RunningVerifier;
let second: RunningVerifier;
let dir: string;
beforeAll(async () => {
  sidecar = await Sidecar.start({ pcrs: [0, 4, 7] }, []);
  await sidecar.authorise();
  dir = mkdtempSync(join(tmpdir(), 'ari-second-'));
  const { service } = sidecar.payer;
  first = service.running;
  second = await startVerifier({ ...service.config, deposit: { ...service.config.deposit, dir } }, { logger: pino({ level: 'silent' }) });
});
afterAll(async () => {
  await sidecar.stop();
  rmSync(dir, { recursive: true });
});

const paid = async () => {
  const payment = await sidecar.pay();
  expect(payment).toMatchObject({ state: 'settled', decision: 'permit' });
  expect(verifyBundle(sidecar.bundle(payment), sidecar.trust)).toMatchObject({ ok: true });
  return payment.paymentId;
};
const isReady = (): boolean => sidecar.session.state === 'ready';
/** From now on the sidecar's connections lead there. */
const reaches = (verifier: RunningVerifier): void => { sidecar.payer.service.running = verifier; };

it('a sidecar pays at one process and, connected to the other, goes on: enrolled, with its mandate, without showing its manifest again', async () => {
  await paid();
  reaches(second);
  await sidecar.reconnect();
  expect(sidecar.session.welcome).toMatchObject({ deviceId: sidecar.payer.deviceId, manifests: [] });
  await paid();
});

it('its payments stand in one log and one line of its carrier, whoever decided them', async () => {
  const store = await sidecar.payer.service.store();
  const chain = (await store.chain(sidecar.payer.carrierId)).map(({ leaf }) => readLeaf(leaf));
  expect(chain.filter(({ kind }) => kind === 'settled')).toHaveLength(2);
  expect(chain.map(({ seq }) => seq)).toEqual(chain.map((_, n) => n));
  expect([await store.ledgerSum(), (await store.carrier(sidecar.payer.carrierId))!.spent]).toEqual([0n, 19_800n]);
  await store.close();
});

it('a process that goes away takes nothing with it: the sidecar finds the other by itself and pays there', async () => {
  reaches(first);
  await second.close();
  while (isReady()) await sleep(1);
  while (!isReady()) await sleep(5);
  await paid();
});

/** The sidecar may have heard of it already, and then has no mandate to pay with. */
it('what is revoked at one process is refused at the other from the answer on', async () => {
  const { service, manifest } = sidecar.payer;
  second = await startVerifier({ ...service.config, deposit: { ...service.config.deposit, dir } }, { logger: pino({ level: 'silent' }) });
  reaches(second);
  await service.post(`/v1/trust/manifests/${manifest.sha256}/revoke`, {});
  const { code } = await sidecar.pay().catch((refused: Fault) => refused);
  expect(['manifest.revoked', 'mandate.unknown']).toContain(code);
  await second.close();
  reaches(first);
});
