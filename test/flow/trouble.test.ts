/** What goes wrong in the field, with real processes: nothing is paid twice, nothing is lost, and the sidecar lives on and says why. */
import { createServer, type Server, type Socket } from 'node:net';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusView } from '../../src/agentapi.js';
import { showCarrier } from '../../cli/actions.js';
import { Stage } from '../../cli/demo/stage.js';
import { type Relay, startRelay } from '../support/tpm-relay.js';

let stage: Stage;
let relay: Relay | undefined;
let spent = 0;
const AMOUNT = 100;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.startTpm();
  stage.channel = `swtpm:unix:${join(stage.dir, 'relay')}`;
  relay = await startRelay(stage.tpm.spec, join(stage.dir, 'relay'));
  await stage.startVerifier();
  await stage.createUser();
  await stage.startSidecar();
  await stage.openCarrier();
  await stage.signMandate({ level: 'L4', maxPayments: null });
  stage.startAgent();
}, 60_000);
afterAll(async () => {
  await relay?.close();
  await stage.close();
});

const order = (key: string) => stage.order({ key, amount: AMOUNT });
const ledger = async (): Promise<{ spent: number; reserved: number }> => {
  const view = await showCarrier(stage.api, stage.carrierId);
  return { spent: Number(view['spent']), reserved: Number(view['reserved']) };
};

/** Waits until the sidecar's status is as it should be. */
async function until(check: (status: StatusView) => boolean, ms = 40_000): Promise<StatusView> {
  for (const end = Date.now() + ms; ; await sleep(50)) {
    const status = await stage.status().catch(() => null);
    if (status && check(status)) return status;
    if (Date.now() > end) throw new Error(`the status stays ${JSON.stringify(status && { tier: status.tier, reason: status.reason, connected: status.verifier.connected })}`);
  }
}
const ready = (): Promise<StatusView> => until(({ tier, verifier, agents }) => tier === 'T2' && verifier.connected && agents.every(({ mandates }) => mandates > 0));

/** A TPM that came back is told to the verifier with a new greeting: meanwhile there is no link, and nothing is paid. */
async function settle(key: string): Promise<void> {
  let { body } = await order(key);
  for (let tries = 0; tries < 50 && body['code'] === 'link.offline'; tries++, { body } = await order(key)) await sleep(100);
  expect(body).toMatchObject({ state: 'settled' });
  spent += AMOUNT;
}

describe('when the verifier is away', () => {
  it('refuses at once with link.offline, pays nothing, and goes on when it is back', async () => {
    await settle('before');
    await stage.verifier.stop();
    await until(({ verifier }) => !verifier.connected);
    expect(await order('away')).toMatchObject({ status: 503, body: { code: 'link.offline' } });
    await stage.restartVerifier();
    await ready();
    expect(await ledger()).toEqual({ spent, reserved: 0 });
    await settle('away');
    expect(await ledger()).toEqual({ spent, reserved: 0 });
  }, 60_000);
});

/** At more moments in test/crash. */
describe('when the sidecar is killed in the middle of a payment', () => {
  it.each([30, 90])('pays once, however often the agent asks again (killed after %i ms)', async (ms) => {
    const key = `killed-${ms}`;
    const asked = order(key).catch(() => null);
    await sleep(ms);
    await stage.sidecar.stop('SIGKILL');
    await stage.agent.stop('SIGKILL');
    await asked;
    await stage.restartSidecar();
    await ready();
    stage.startAgent();
    let { body } = await order(key);
    for (let tries = 0; tries < 50 && body['state'] !== 'settled'; tries++, { body } = await order(key)) await sleep(100);
    expect(body).toMatchObject({ state: 'settled' });
    expect((await order(key)).body['payment_id']).toBe(body['payment_id']);
    spent += AMOUNT;
    expect(await ledger()).toEqual({ spent, reserved: 0 });
  }, 60_000);
});

describe('when the TPM makes trouble', () => {
  it('hangs: the payment is refused with tpm.hung, the tier falls to T0 with the reason, and comes back with the TPM', async () => {
    stage.tpm.pause();
    expect(await order('hung')).toMatchObject({ status: 503, body: { code: 'tpm.hung' } });
    expect(await until(({ tier }) => tier === 'T0')).toMatchObject({ tpm: { state: 'tpm.hung' }, reason: expect.stringContaining('tpm.hung') });
    stage.tpm.resume();
    await ready();
    await settle('hung');
  }, 90_000);

  it('is missing at the start: the sidecar runs at T0 and finds it when it appears', async () => {
    await stage.sidecar.stop();
    await relay?.close();
    await rm(join(stage.dir, 'relay'), { force: true });
    const restarted = stage.restartSidecar();
    expect(await until(({ tier }) => tier === 'T0')).toMatchObject({ tpm: { state: 'tpm.absent' } });
    expect(await order('missing')).toMatchObject({ status: 503, body: { code: expect.stringMatching(/^(tpm|link)\./) } });
    relay = await startRelay(stage.tpm.spec, join(stage.dir, 'relay'));
    await restarted;
    await ready();
    await settle('missing');
  }, 90_000);

  it('answers garbage: the sidecar lives at T0, says tpm.garbage, and believes nothing of it', async () => {
    await stage.sidecar.stop();
    await relay?.close();
    const path = join(stage.dir, 'relay');
    await rm(path, { force: true });
    const clients = new Set<Socket>();
    const liar: Server = createServer((client) => {
      clients.add(client);
      client.on('error', () => undefined).on('data', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    });
    await new Promise<void>((done) => liar.listen(path, done));
    const restarted = stage.restartSidecar();
    expect(await until(({ tier }) => tier === 'T0')).toMatchObject({ tpm: { state: 'tpm.garbage' } });
    liar.close();
    for (const client of clients) client.destroy();
    await rm(path, { force: true });
    relay = await startRelay(stage.tpm.spec, path);
    await restarted;
    await ready();
    await settle('garbage');
    expect(await ledger()).toEqual({ spent, reserved: 0 });
  }, 90_000);
});
