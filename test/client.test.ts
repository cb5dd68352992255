import { createServer } from 'node:http';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AriClient, type AgentEvent } from '../client/index.js';
import { type Door, openDoor } from '../daemon/door/door.js';
import { descriptorOf } from '../daemon/door/peer.js';
import { native } from '../daemon/native.js';
import { Launches } from '../daemon/launch/launches.js';
import type { Agent } from '../daemon/ports.js';
import { agentIn, NODE, Program, removeDir, tempDir } from './daemon/support/agents.js';
import { OWN, recordingApi, silentLog } from './daemon/support/api.js';

const PACKAGE = join(import.meta.dirname, '..');
const PURCHASE = { payee: { id: 'shop' }, amount: { amount: 19900n, currency: 'CNY' }, order: { ref: 'A-1' } };

/** This test process as an agent: the test runner overwrites its command line, so it passes for a native one. */
function testAgent(agent: Agent): Agent {
  const { value } = agent.manifest;
  const [{ sha256 } = { sha256: '' }] = value.interpreters;
  return { ...agent, manifest: { ...agent.manifest, value: { ...value, files: [{ path: 'node', sha256 }], launch: { entry: 'node', runtime: 'native', allowAnonymousCode: true } } } };
}

describe('the client of an agent', () => {
  let dir: string;
  let socket: string;
  let agent: Agent;
  let door: Door;
  let recording: ReturnType<typeof recordingApi>;
  let ari: AriClient;

  beforeAll(async () => {
    dir = tempDir();
    socket = join(dir, 'agent.sock');
    mkdirSync(join(dir, 'agent'));
    cpSync(join(PACKAGE, 'examples/shopper.mjs'), join(dir, 'agent/shopper.mjs'));
    agent = await agentIn(join(dir, 'agent'), 'shopper.mjs', 'node');
  });
  beforeEach(async () => {
    recording = recordingApi();
    ari = new AriClient({ socket });
    door = await openDoor({ socket, agents: [testAgent(agent)], launches: new Launches(), api: recording.api, limits: { bodyBytes: 65_536, paymentsPerMinute: 100 }, log: silentLog });
  });
  afterEach(async () => {
    ari.close();
    await door.close();
  });
  afterAll(() => removeDir(dir));

  it('pays, with the key it was given', async () => {
    expect(await ari.pay(PURCHASE, { idempotencyKey: 'A-1' })).toMatchObject({ paymentId: OWN, state: 'settled', amount: { amount: 19900n }, ms: { measure: 1.5 } });
    expect(recording.asked).toMatchObject([{ pid: process.pid, key: 'A-1', request: { taskId: null, order: { ref: 'A-1', terms: null } } }]);
  });

  it('takes the connection that was made for it before it makes one', async () => {
    const made = connect({ path: socket });
    await once(made, 'connect');
    process.env['ARI_SOCKET_FD'] = String(native().duplicate(descriptorOf(made as never)));
    const handed = new AriClient({ socket: join(dir, 'nobody-listens-here') });
    expect(process.env['ARI_SOCKET_FD']).toBeUndefined();
    expect(await handed.pay(PURCHASE, { idempotencyKey: 'A-1' })).toMatchObject({ state: 'settled' });
    expect(await handed.payment(OWN)).toMatchObject({ paymentId: OWN });
    handed.close();
    made.destroy();
  });

  it('throws a denial with its code, its fix and the payment', async () => {
    await expect(ari.pay({ ...PURCHASE, payee: { id: 'denied' } }, { idempotencyKey: 'A-2' })).rejects.toMatchObject({ name: 'AriError', code: 'carrier.payee', status: 403, fix: expect.any(String), payment: { state: 'denied' } });
  });

  it('asks for a payment, its bundle and the status', async () => {
    expect(await ari.payment(OWN)).toMatchObject({ paymentId: OWN });
    expect(await ari.bundle(OWN)).toBe('{"v":"bundle"}');
    expect(await ari.status()).toMatchObject({ tier: 'T2', payments: { settled: 2 }, tpm: { state: 'ready' } });
    await expect(ari.payment('pay_00000000000000000000000009')).rejects.toMatchObject({ code: 'intake.not_found', status: 404, payment: null });
  });

  it('refuses a purchase that is none before anything is sent', async () => {
    await expect(ari.pay({ ...PURCHASE, amount: { amount: 1.5, currency: 'CNY' } }, { idempotencyKey: 'A-3' })).rejects.toMatchObject({ name: 'AriError', code: 'intake.malformed' });
    await expect(ari.pay({ ...PURCHASE, amount: { amount: 1n, currency: 'XYZ' } }, { idempotencyKey: 'A-4' })).rejects.toMatchObject({ code: 'intake.malformed' });
    expect(recording.begun).toBe(0);
  });

  it('hears events until it leaves the loop, and is then forgotten', async () => {
    const heard: AgentEvent[] = [];
    const listening = (async () => {
      for await (const event of ari.events()) if (heard.push(event) === 2) break;
    })();
    await expect.poll(() => recording.listeners()).toBe(1);
    recording.emit({ type: 'mandates', body: { mandates: 2 } });
    recording.emit({ type: 'status', body: { tier: 'T1', reason: 'no register', connected: false } });
    await listening;
    expect(heard.map(({ type }) => type)).toEqual(['mandates', 'status']);
    await expect.poll(() => recording.listeners()).toBe(0);
  });

  it('says that the sidecar is not there, also when it ends while events are heard', async () => {
    const events = ari.events();
    const first = events.next();
    await expect.poll(() => recording.listeners()).toBe(1);
    await door.close();
    await expect(first).rejects.toMatchObject({ name: 'AriError', code: 'link.sidecar' });
    await expect(ari.status()).rejects.toMatchObject({ code: 'link.sidecar', status: 503 });
    door = await openDoor({ socket, agents: [], launches: new Launches(), api: recording.api, limits: { bodyBytes: 1024, paymentsPerMinute: 1 }, log: silentLog });
  });

  it('is not confused by a server that is no sidecar', async () => {
    const path = join(dir, 'other.sock');
    const server = createServer((_, response) => { response.writeHead(500).end('<html>'); }).listen(path);
    await once(server, 'listening');
    const other = new AriClient({ socket: path });
    await expect(other.status()).rejects.toMatchObject({ name: 'AriError' });
    other.close();
    server.close();
  });

  it.skipIf(!existsSync(join(PACKAGE, 'dist/client/index.js')))('serves the example agent, which makes several payments in one process', async () => {
    await door.close();
    const root = join(PACKAGE, 'examples');
    door = await openDoor({ socket, agents: [{ ...agent, root }], launches: new Launches(), api: recording.api, limits: { bodyBytes: 65_536, paymentsPerMinute: 100 }, log: silentLog });
    const shopper = new Program(NODE, [join(root, 'shopper.mjs'), socket, '--serve']);
    const buy = async (payee: string, key: string): Promise<unknown> => JSON.parse(await shopper.ask(JSON.stringify({ ...PURCHASE, payee: { id: payee }, amount: { amount: 500, currency: 'CNY' }, key })));
    expect(await buy('shop', 'k-1')).toMatchObject({ ok: true, payment: { state: 'settled', amount: { amount: 500 } } });
    expect(await buy('denied', 'k-2')).toMatchObject({ ok: false, code: 'carrier.payee', payment: { state: 'denied' } });
    expect(JSON.parse(await shopper.ask('no JSON'))).toMatchObject({ ok: false, code: 'usage.wrong' });
    expect(recording.asked.map(({ pid, key }) => [pid, key])).toEqual([[shopper.child.pid, 'k-1'], [shopper.child.pid, 'k-2']]);
    await shopper.end();
  });
});
