import { connect } from 'node:net';
import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Door, openDoor } from '../../../daemon/door/door.js';
import { Launches } from '../../../daemon/launch/launches.js';
import type { Agent } from '../../../daemon/ports.js';
import { sense } from '../../../daemon/sense/sense.js';
import { agentIn, NODE, Program, PYTHON, removeDir, tempDir, writeTree } from '../support/agents.js';
import { type Asked, recordingApi, silentLog } from '../support/api.js';

const AGENT = join(import.meta.dirname, '../support/agent.py');
const ORDER = '{"payee":{"id":"shop"},"amount":{"amount":19900,"currency":"CNY"},"order":{"ref":"A-1"}}';
const PAY = `request POST /v1/payments ${ORDER}`;

describe('the door', () => {
  let dir: string;
  let root: string;
  let socket: string;
  let agent: Agent;
  let door: Door;
  let asked: Asked[];
  const programs: Program[] = [];

  beforeAll(async () => {
    dir = tempDir();
    root = join(dir, 'agent');
    socket = join(dir, 'run/agent.sock');
    mkdirSync(root);
    cpSync(AGENT, join(root, 'agent.py'));
    agent = await agentIn(root, 'agent.py', 'python');
  });
  beforeEach(async () => {
    const recording = recordingApi();
    asked = recording.asked;
    door = await openDoor({ socket, agents: [agent], launches: new Launches(), api: recording.api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()));
    await door.close();
  });
  afterAll(() => removeDir(dir));

  const start = async (script = join(root, 'agent.py'), command = PYTHON): Promise<Program> => {
    const program = new Program(command, [script, socket]);
    programs.push(program);
    await program.line();
    return program;
  };
  /** Writes bytes as this test process, which is no agent. */
  const raw = async (text: string): Promise<string> => {
    const client = connect({ path: socket });
    let answer = '';
    client.on('data', (piece: Buffer) => { answer += piece.toString(); }).on('error', () => undefined);
    client.write(text);
    await once(client, 'close');
    return answer;
  };

  it('lets its agent pay, and says which process and agent it is', async () => {
    const program = await start();
    expect(await program.ask(PAY)).toMatch(/^200 .*"state":"settled"/);
    expect(asked).toMatchObject([{ pid: program.child.pid, agentId: agent.id, key: 'key-1', request: { amount: { amount: 19900n, currency: 'CNY' }, payee: { id: 'shop', origin: null } } }]);
  });

  it('takes several payments on one connection', async () => {
    const program = await start();
    await program.ask(PAY);
    expect(await program.ask(PAY)).toMatch(/^200/);
  });

  it('refuses what a forked child writes on the connection of its parent', async () => {
    const program = await start();
    const answer = await program.ask(`child POST /v1/payments ${ORDER}`);
    expect(answer).toMatch(/^403 .*peer\.other_speaker/);
    expect(asked).toEqual([]);
  });

  it('refuses a request of which a forked child wrote the second half', async () => {
    const program = await start();
    expect(await program.ask(`half POST /v1/payments ${ORDER}`)).toMatch(/^403 .*peer\.other_speaker/);
    expect(asked).toEqual([]);
  });

  it('refuses a connection whose process became another by exec', async () => {
    const program = await start();
    expect(await program.ask(PAY)).toMatch(/^200/);
    expect(await program.ask('exec')).toMatch(/^ready/);
    expect(await program.ask(PAY)).toMatch(/^409 .*peer\.exec_changed/);
    expect(asked).toHaveLength(1);
  });

  it('refuses a process that is no agent', async () => {
    expect(await raw('GET /v1/events HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 403 .*peer\.unknown/s);
  });

  it('refuses another program of the same user and interpreter', async () => {
    const other = join(dir, 'other.py');
    cpSync(AGENT, other);
    const program = await start(other);
    expect(await program.ask(PAY)).toMatch(/^403 .*peer\.unknown/);
  });

  it('lets an agent with a changed file through, so that the verifier denies it', async () => {
    writeTree(root, { 'helper.py': 'changed = True\n' });
    const program = await start();
    expect(await program.ask(PAY)).toMatch(/^200/);
  });

  it('does not let the peer of a payment go while the payment is at work', async () => {
    const recording = recordingApi(async (peer) => {
      await wait(100);
      await sense(peer, agent);
    });
    await door.close();
    door = await openDoor({ socket, agents: [agent], launches: new Launches(), api: recording.api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
    const program = await start();
    program.say(PAY);
    await expect.poll(() => recording.begun).toBe(1);
    program.say('exec');
    await expect.poll(() => recording.failures.length + recording.asked.length).toBe(1);
    expect(recording.failures).toEqual([]);
  });

  it('keeps agents apart: each is itself, whoever else is connected', async () => {
    const other = join(dir, 'other-agent');
    mkdirSync(other);
    cpSync(AGENT, join(other, 'agent.py'));
    const second = { ...await agentIn(other, 'agent.py', 'python'), id: 'second' };
    await door.close();
    const recording = recordingApi();
    door = await openDoor({ socket, agents: [agent, second], launches: new Launches(), api: recording.api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
    const [one, two] = [await start(), await start(join(other, 'agent.py'))];
    for (const program of [one, two, one, two]) expect(await program.ask(PAY)).toMatch(/^200/);
    expect(recording.asked.map(({ agentId }) => agentId)).toEqual([agent.id, 'second', agent.id, 'second']);
    await one.ask(PAY);
    expect(await one.ask(PAY)).toMatch(/^429/);
    expect(await two.ask(PAY)).toMatch(/^200/);
  });

  it('does not know an agent in attach mode that is to be launched', async () => {
    await door.close();
    door = await openDoor({ socket, agents: [{ ...agent, launchOnly: true }], launches: new Launches(), api: recordingApi().api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
    expect(await (await start()).ask(PAY)).toMatch(/^403 .*peer\.unknown/);
  });

  it('shows an agent no payment that is not its own', async () => {
    const program = await start();
    expect(await program.ask('request GET /v1/payments/pay_00000000000000000000000002')).toMatch(/^404 .*intake\.not_found/);
    expect(await program.ask('request GET /v1/payments/pay_00000000000000000000000001')).toMatch(/^200 .*"payment_id":"pay_00000000000000000000000001"/);
    expect(await program.ask('request GET /v1/payments/pay_00000000000000000000000002/bundle')).toMatch(/^404/);
    expect(await program.ask('request GET /v1/payments/pay_00000000000000000000000001/bundle')).toMatch(/^200 .*bundle/);
  });

  it('answers a denial as a problem that carries the payment', async () => {
    const program = await start();
    const answer = await program.ask(PAY.replace('"shop"', '"denied"'));
    expect(answer).toMatch(/^403 /);
    expect(JSON.parse(answer.slice(4))).toMatchObject({ code: 'carrier.payee', status: 403, fix: expect.any(String), payment: { state: 'denied', decision: 'deny' } });
  });

  it('stops an agent that asks too often', async () => {
    const program = await start();
    for (let payment = 0; payment < 3; payment++) expect(await program.ask(PAY)).toMatch(/^200/);
    expect(await program.ask(PAY)).toMatch(/^429 .*intake\.rate/);
  });

  it.each([
    ['no JSON', 'x', 400, 'intake.malformed'],
    ['a key twice', '{"payee":{"id":"shop","id":"evil"}}', 400, 'intake.json_ambiguous'],
    ['an amount with a fraction', ORDER.replace('19900', '199.5'), 400, 'money.not_integer'],
    ['an unknown member', ORDER.replace('{"payee"', '{"pay":1,"payee"'), 400, 'intake.malformed'],
    ['too many bytes', `"${'x'.repeat(5000)}"`, 413, 'intake.too_large'],
  ])('refuses a request with %s', async (_, body, status, code) => {
    const program = await start();
    expect(await program.ask(`request POST /v1/payments ${body}`)).toMatch(new RegExp(`^${status} .*${code.replace('.', '\\.')}`));
    expect(asked).toEqual([]);
    expect(await (await start()).ask(PAY)).toMatch(/^200/);
  });

  it.each([
    ['Origin', 'origin: https://shop.example\r\n', 403, 'intake.browser'],
    ['Referer', 'referer: https://shop.example\r\n', 403, 'intake.browser'],
    ['headers beyond all measure', `x: ${'y'.repeat(9000)}\r\n`, 413, 'intake.too_large'],
    ['a broken header', 'x y z\r\n', 400, 'intake.malformed'],
  ])('refuses a request with %s', async (_, header, status, code) => {
    const answer = await raw(`GET /v1/status HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n${header}\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*${code.replace('.', '\\.')}`, 's'));
    expect(await raw('GET /v1/status HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 200/);
  });

  it.each([['GET', '/v1/payments', 405], ['POST', '/v1/status', 405], ['GET', '/', 404], ['GET', '/v1/payments/../status', 404], ['GET', '/v1/payments/pay_1', 404]])('answers %s %s with %i', async (method, path, status) => {
    expect(await raw(`${method} ${path} HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n\r\n`)).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  });

  it('refuses a payment without an idempotency key', async () => {
    const program = await start();
    expect(await program.ask(PAY.replace('request', 'keyless'))).toMatch(/^400 .*intake\.idempotency_missing/);
    expect(asked).toEqual([]);
  });

  it('outlives connections that end in the middle of a request', async () => {
    for (const piece of ['', 'P', 'POST /v1/payments HTTP/1.1\r\n', 'POST /v1/payments HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{']) {
      const client = connect({ path: socket }).on('error', () => undefined);
      client.write(piece, () => client.destroy());
      await once(client, 'close');
    }
    expect(await (await start()).ask(PAY)).toMatch(/^200/);
  });

  it('takes so many connections of one user and no more, until one of them ends', async () => {
    const clients = await Promise.all(Array.from({ length: 64 }, async () => {
      const client = connect({ path: socket }).on('error', () => undefined);
      await once(client, 'connect');
      return client;
    }));
    const status = 'GET /v1/status HTTP/1.1\r\nhost: ari\r\nconnection: close\r\n\r\n';
    expect(await raw(status)).toMatch(/^HTTP\/1.1 429 .*intake\.connections/s);
    for (const client of clients) client.destroy();
    await expect.poll(() => raw(status)).toMatch(/^HTTP\/1.1 200/);
  });

  it('opens a socket for its group only, in a folder that others may enter', () => {
    expect([statSync(socket).mode & 0o777, statSync(join(dir, 'run')).mode & 0o777]).toEqual([0o660, 0o755]);
  });

  it('takes the place of a killed predecessor, and never that of a living one', async () => {
    await expect(openDoor({ socket, agents: [], launches: new Launches(), api: recordingApi().api, limits: { bodyBytes: 1, paymentsPerMinute: 1 }, log: silentLog })).rejects.toMatchObject({ code: 'config.invalid' });
    await door.close();
    expect(existsSync(socket)).toBe(false);
    const killed = new Program(NODE, ['-e', `require('net').createServer().listen(${JSON.stringify(socket)}, () => console.log('listening'))`]);
    await killed.line();
    await killed.end();
    expect(existsSync(socket)).toBe(true);
    door = await openDoor({ socket, agents: [agent], launches: new Launches(), api: recordingApi().api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
    expect(await (await start()).ask(PAY)).toMatch(/^200/);
  });

  it('never removes what is no socket', async () => {
    const file = join(dir, 'precious');
    writeFileSync(file, 'x');
    await expect(openDoor({ socket: file, agents: [], launches: new Launches(), api: recordingApi().api, limits: { bodyBytes: 1, paymentsPerMinute: 1 }, log: silentLog })).rejects.toMatchObject({ code: 'config.invalid' });
    expect(existsSync(file)).toBe(true);
  });
});
