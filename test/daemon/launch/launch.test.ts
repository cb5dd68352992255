import { constants } from 'node:os';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AriClient } from '../../../client/index.js';
import { type Door, openDoor } from '../../../daemon/door/door.js';
import { exitOf, launch, type LaunchOptions } from '../../../daemon/launch/launch.js';
import { Launches } from '../../../daemon/launch/launches.js';
import { type Plan, planOf } from '../../../daemon/launch/plan.js';
import { Lives } from '../../../daemon/lives.js';
import type { Agent } from '../../../daemon/ports.js';
import { compareWithManifest } from '../../../attest/manifest.js';
import { weighs } from '../../../attest/verify/status.js';
import { fault } from '../../../src/base/fault.js';
import type { AgentClaims } from '../../../src/objects/claims.js';
import { agentIn, NODE, Program, removeDir, tempDir, writeTree } from '../support/agents.js';
import { recordingApi, silentLog } from '../support/api.js';
import { MemoryLog } from '../support/log.js';

const STARTER = join(import.meta.dirname, '../../../dist/daemon/launch/starter.js');
const root = process.getuid?.() === 0;
/** Pays once on the connection it was handed and once on one of its own, writes what it was given into a file, and ends as it is told. */
const AGENT = `const { request, Agent } = require('node:http'), { Socket, connect } = require('node:net'), { writeFileSync } = require('node:fs');
const [, , path, out, how] = process.argv;
const ask = (createConnection) => new Promise((done) => {
  const body = '{"payee":{"id":"shop"},"amount":{"amount":100,"currency":"CNY"},"order":{"ref":"A"}}';
  request({ agent: Object.assign(new Agent(), { createConnection }), method: 'POST', path: '/v1/payments', headers: { 'idempotency-key': 'k', 'content-length': body.length } }, (answer) => { answer.resume(); done(answer.statusCode); }).end(body);
});
(async () => {
  const statuses = [await ask(() => new Socket({ fd: Number(process.env.ARI_SOCKET_FD) })), await ask(() => connect(path))];
  writeFileSync(out, JSON.stringify({ statuses, argv: process.argv, names: Object.keys(process.env).sort(), uid: process.getuid(), parent: process.ppid }));
  if (how === 'wait') setInterval(() => {}, 1000);
  else process.exit(Number(how));
})();
`;

describe.skipIf(!existsSync(STARTER))('a launched agent', () => {
  let dir: string;
  let socket: string;
  let agent: Agent;
  let agents: Agent[];
  let door: Door;
  let launches: Launches;
  let lives: Lives;
  let recording: ReturnType<typeof recordingApi>;
  let client: AriClient;
  let log: MemoryLog;
  let claims: AgentClaims[];

  beforeAll(async () => {
    dir = tempDir();
    socket = join(dir, 'agent.sock');
    chmodSync(dir, 0o755);
    writeTree(join(dir, 'agent'), { 'agent.js': AGENT });
    agent = { ...await agentIn(join(dir, 'agent'), 'agent.js', 'node'), uid: null };
  });
  beforeEach(async () => {
    [log, claims] = [new MemoryLog(), []];
    launches = new Launches();
    lives = new Lives(log, launches, silentLog);
    recording = recordingApi(async (peer) => { claims.push(await lives.measure(peer, agent)); });
    const api = { ...recording.api, met: (...who: Parameters<Lives['met']>) => lives.met(...who), launched: (...what: Parameters<Lives['launched']>) => lives.launched(...what) };
    agents = [agent];
    door = await openDoor({ socket, agents, launches, api, limits: { bodyBytes: 4096, paymentsPerMinute: 30 }, log: silentLog });
    chmodSync(socket, 0o666);
    client = new AriClient({ socket });
  });
  afterEach(async () => {
    client.close();
    await door.close();
    launches.close();
    lives.close();
  });
  afterAll(() => removeDir(dir));

  const out = (): string => join(dir, 'out', 'given.json');
  const start = (how: string, change: Partial<LaunchOptions> = {}, given: string[] = []): ReturnType<typeof launch> => {
    writeTree(dir, { 'out/given.json': '' });
    for (const file of ['out', 'out/given.json']) chmodSync(join(dir, file), 0o777);
    const plan = planOf(agent, [socket, out(), how], given, { ...process.env, NODE_OPTIONS: '--require=/tmp/evil.js', LD_PRELOAD: '', SECRET_TOKEN: 'x' });
    return launch({ agent, plan, socket, user: null, announce: (request) => client.launch(request), ...change });
  };
  const given = async (): Promise<Record<string, unknown>> => {
    await expect.poll(() => readFileSync(out(), 'utf8'), { timeout: 5000 }).not.toBe('');
    return JSON.parse(readFileSync(out(), 'utf8')) as Record<string, unknown>;
  };
  const codes = (one: AgentClaims | undefined): string[] => compareWithManifest(one!, agent.manifest.value).filter(weighs).map(({ code }) => code);

  it('pays on the connection it was handed and on its own, and is measured as launched', async () => {
    const child = await start('7');
    expect(await exitOf(child, constants.signals)).toBe(7);
    expect((await given())['statuses']).toEqual([200, 200]);
    expect(claims.map(({ mode }) => mode)).toEqual(['launch', 'launch']);
    expect(claims.map(codes)).toEqual([[], []]);
    expect(recording.asked.map(({ pid }) => pid)).toEqual([child.pid, child.pid]);
  });

  it('has the environment of the rule: nothing of the launcher that can bring in code, and no secrets', async () => {
    await exitOf(await start('0', {}, ['SHOP=flowers']), constants.signals);
    const { names, argv } = await given() as { names: string[]; argv: string[] };
    expect(names).toEqual(expect.arrayContaining(['ARI_SOCKET_FD', 'PATH', 'SHOP']));
    for (const name of ['NODE_OPTIONS', 'LD_PRELOAD', 'SECRET_TOKEN']) expect(names).not.toContain(name);
    expect(argv.slice(0, 2)).toEqual([NODE, join(agent.root, 'agent.js')]);
  });

  it.each(['NODE_OPTIONS=--require=/tmp/evil.js', 'LD_PRELOAD=/tmp/evil.so', 'NO_SUCH_VARIABLE_HERE'])('is not given %s', (variable) => {
    expect(() => planOf(agent, [], [variable], {})).toThrow(expect.objectContaining({ code: 'usage.wrong' }));
  });

  it('is the program of its first exec: another one that it turns into has no word, also if it never spoke before', async () => {
    const other = join(dir, 'other.py');
    writeTree(join(dir, 'turncoat'), { 'agent.py': 'import os, sys, time\ntime.sleep(0.5)\nos.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n' });
    writeFileSync(other, `import os, socket, sys
connection = socket.socket(fileno=int(os.environ['ARI_SOCKET_FD']))
body = b'{"payee":{"id":"shop"},"amount":{"amount":100,"currency":"CNY"},"order":{"ref":"A"}}'
connection.sendall(b'POST /v1/payments HTTP/1.1\\r\\nhost: a\\r\\nidempotency-key: k\\r\\ncontent-length: %d\\r\\n\\r\\n%s' % (len(body), body))
open(sys.argv[1], 'w').write(connection.recv(4096).decode())
`);
    const turncoat = { ...await agentIn(join(dir, 'turncoat'), 'agent.py', 'python'), uid: null, launchOnly: true };
    agents.push(turncoat);
    const child = await start('0', { agent: turncoat, plan: planOf(turncoat, [other, out()], [], process.env) });
    expect(await exitOf(child, constants.signals)).toBe(0);
    expect(readFileSync(out(), 'utf8')).toMatch(/^HTTP.1.1 409 .*peer\.exec_changed/s);
    expect(recording.asked).toEqual([]);
  });

  it('is ended by the signals that its launcher is sent, and its end is in the log', async () => {
    const child = await start('wait');
    await given();
    child.kill('SIGTERM');
    expect(await exitOf(child, constants.signals)).toBe(143);
    await expect.poll(() => log.kinds).toEqual(['agent_start', 'agent_exit']);
    expect(log.records[0]?.data).toMatchObject({ agent_id: agent.id, mode: 'launch' });
  });

  it('is in the log before its first instruction, with what was measured: a first payment adds nothing', async () => {
    const announce = async (request: Parameters<LaunchOptions['announce']>[0]): Promise<void> => {
      await client.launch(request);
      expect(readFileSync(out(), 'utf8')).toBe('');
      expect(log.records).toMatchObject([{ kind: 'agent_start', data: { agent_id: agent.id, mode: 'launch', manifest_sha256: agent.manifest.sha256 } }]);
    };
    await exitOf(await start('0', { announce }), constants.signals);
    expect(claims.length).toBe(2);
    await expect.poll(() => log.kinds).toEqual(['agent_start', 'agent_exit']);
  });

  it('is not started when its start cannot be recorded for another reason than that the log is away', async () => {
    log.trouble = fault('register.value');
    await expect(start('0')).rejects.toMatchObject({ code: 'register.value' });
    expect(readFileSync(out(), 'utf8')).toBe('');
  });

  it('is not started when a file is not as in its manifest', async () => {
    writeTree(agent.root, { 'evil.js': '' });
    await expect(start('0')).rejects.toMatchObject({ code: 'agent.version_not_authorised', message: expect.stringContaining('evil.js (extra)') });
    execFileSync('rm', [join(agent.root, 'evil.js')]);
    expect(recording.begun).toBe(0);
  });

  it('is not started with an executable that is not of its manifest', async () => {
    const plan: Plan = { runtime: 'shell', executable: '/bin/sh', argv: ['sh', '-c', 'exit 0'], env: {} };
    await expect(start('0', { plan })).rejects.toMatchObject({ code: 'agent.exe_unknown' });
  });

  it('runs the file that was measured, whatever its name leads to when it is started', async () => {
    const copy = join(dir, 'node-copy');
    execFileSync('cp', [NODE, copy]);
    const swap = async (request: Parameters<LaunchOptions['announce']>[0]): Promise<void> => {
      await client.launch(request);
      execFileSync('rm', [copy]);
      writeFileSync(copy, '#!/bin/sh\nexit 99\n', { mode: 0o755 });
    };
    const plan = planOf(agent, [socket, out(), '5'], [], process.env);
    const child = await start('5', { plan: { ...plan, executable: copy }, announce: swap });
    expect(await exitOf(child, constants.signals)).toBe(5);
    expect(codes(claims[0])).toEqual(['agent.exe_replaced', 'agent.foreign_mapping']);
  });

  it.skipIf(!root)('runs as a user of its own, and nobody of that user may touch the process before it is the agent', async () => {
    chownSync(join(dir, 'out'), 0, 0);
    let traced = '';
    const announce = async (request: Parameters<LaunchOptions['announce']>[0]): Promise<void> => {
      const tracer = new Program('setpriv', ['--reuid=4321', '--regid=4321', '--clear-groups', '/usr/bin/python3', '-c', `import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.ptrace(0x4206, ${request.pid}, None, None), ctypes.get_errno())`]);
      traced = await tracer.line();
      await tracer.end();
      await client.launch(request);
    };
    const child = await start('0', { user: { uid: 4321, gid: 4321 }, announce });
    expect(await exitOf(child, constants.signals)).toBe(0);
    expect(await given()).toMatchObject({ uid: 4321 });
    expect(traced).toBe('-1 1');
  });

  it.skipIf(!root)('cannot be claimed by a process of another user', async () => {
    const body = `{"agent_id":"${agent.id}","pid":1,"options":[],"env_names":[]}`;
    const curl = new Program('setpriv', ['--reuid=4321', '--regid=4321', '--clear-groups', '/usr/bin/python3', '-c', `import socket
s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(socket)})
s.sendall(b'POST /v1/launches HTTP/1.1\\r\\nhost: a\\r\\ncontent-length: ${body.length}\\r\\n\\r\\n${body}')
print(s.recv(4096).decode().replace('\\r\\n', ' '))`]);
    expect(await text(curl.child.stdout as Readable)).toMatch(/403 .*peer\.unknown/s);
  });

  it('is none that is not connected and waiting', async () => {
    await expect(client.launch({ agentId: agent.id, pid: process.pid + 100_000, options: [], envNames: [] })).rejects.toMatchObject({ code: 'intake.not_found' });
    await expect(client.launch({ agentId: 'another', pid: process.pid, options: [], envNames: [] })).rejects.toMatchObject({ code: 'intake.not_found' });
  });
});
