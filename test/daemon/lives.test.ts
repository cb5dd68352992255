import { mkdirSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compareWithManifest } from '../../attest/manifest.js';
import { weighs } from '../../attest/verify/status.js';
import { statField } from '../../daemon/door/peer.js';
import { Launches } from '../../daemon/launch/launches.js';
import { Lives } from '../../daemon/lives.js';
import type { Agent, Peer } from '../../daemon/ports.js';
import { fault } from '../../src/base/fault.js';
import { agentIn, Listener, Program, PYTHON, removeDir, tempDir, writeTree } from './support/agents.js';
import { silentLog } from './support/api.js';
import { MemoryLog } from './support/log.js';

let dir: string;
let listener: Listener;
let agent: Agent;
let log: MemoryLog;
let lives: Lives;
const open: Program[] = [];

beforeAll(async () => {
  dir = tempDir();
  listener = await Listener.in(dir);
  mkdirSync(join(dir, 'agent'));
  cpSync(join(import.meta.dirname, 'support/agent.py'), join(dir, 'agent/agent.py'));
  agent = await agentIn(join(dir, 'agent'), 'agent.py', 'python');
});
beforeEach(() => {
  log = new MemoryLog();
  lives = begin();
});
afterEach(async () => {
  lives.close();
  for (const program of open.splice(0)) await program.end();
});
afterAll(() => {
  listener.close();
  removeDir(dir);
});

const begin = (): Lives => new Lives(log, new Launches(), silentLog);
const idOf = ({ pid, startTicks }: Peer): string => `${pid}.${startTicks}`;

async function start(): Promise<{ program: Program; peer: Peer }> {
  const program = new Program(PYTHON, [join(dir, 'agent/agent.py'), listener.path]);
  const { peer } = await listener.next();
  await program.line();
  open.push(program);
  return { program, peer };
}
const codes = async (peer: Peer, by = lives): Promise<string[]> => compareWithManifest(await by.measure(peer, agent), agent.manifest.value).filter(weighs).map(({ code }) => code);
const library = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/libanl.so.1`;
const MEASURED = { exeSha256: 'A'.repeat(43), treeSha256: 'B'.repeat(43) };

describe('the life of an agent', () => {
  it('is in the log from start to exit, with its drift', async () => {
    const { program, peer } = await start();
    const from = Date.now();
    expect(await codes(peer)).toEqual([]);
    await program.ask(`map ${library}`);
    expect(await codes(peer)).toEqual(['agent.foreign_mapping']);
    peer.close();
    await program.end();
    await expect.poll(() => log.kinds).toEqual(['agent_start', 'agent_drift', 'agent_exit']);
    expect(log.records.map(({ data }) => data['process'])).toEqual(Array(3).fill(idOf(peer)));
    expect(log.records[1]?.data).toMatchObject({ agent_id: agent.id, mode: 'attach', codes: ['agent.foreign_mapping'], files: [] });
    for (const { data } of log.records) expect(Number(data['at_ms'])).toBeGreaterThanOrEqual(from);
  });

  it('is in the log when it connects, whether it pays or not, and once', async () => {
    const { peer } = await start();
    await lives.met(peer, agent);
    await lives.met(peer, agent);
    await lives.measure(peer, agent);
    expect(log.kinds).toEqual(['agent_start']);
  });

  it('names the files that drifted', async () => {
    const { peer } = await start();
    await lives.met(peer, agent);
    writeTree(agent.root, { 'evil.py': '' });
    expect(await codes(peer)).toContain('agent.drift');
    removeDir(join(agent.root, 'evil.py'));
    expect(log.records.at(-1)).toMatchObject({ kind: 'agent_drift', data: { files: ['evil.py (extra)'] } });
  });

  it('does not become clean again: only another process does', async () => {
    const { peer } = await start();
    const tracer = new Program(PYTHON, ['-c', `import ctypes, sys\nprint(ctypes.CDLL(None).ptrace(0x4206, ${peer.pid}, None, None), flush=True)\nsys.stdin.readline()`]);
    await tracer.line();
    expect(await codes(peer)).toEqual(['agent.traced']);
    await tracer.end();
    await expect.poll(() => codes(peer)).toEqual(['agent.drifted']);
    const { peer: other } = await start();
    expect(await codes(other)).toEqual([]);
  });
});

describe('a sidecar that is restarted', () => {
  it('forgets nothing of a process that goes on, and records its end', async () => {
    const { program, peer } = await start();
    await program.ask('anonymous');
    expect(await codes(peer)).toEqual(['agent.anonymous_code']);
    lives.close();
    const restarted = begin();
    await restarted.settle();
    expect((await restarted.measure(peer, agent)).injection.earlier).toEqual(['agent.anonymous_code']);
    expect(log.kinds).toEqual(['agent_drift']);
    peer.close();
    await program.end();
    await expect.poll(() => log.kinds).toEqual(['agent_drift', 'agent_exit']);
    restarted.close();
  });

  it('records the end of a process that ended while it was not there, and says that it did not see it', async () => {
    const { program, peer } = await start();
    await lives.met(peer, agent);
    lives.close();
    peer.close();
    await program.end();
    const restarted = begin();
    await restarted.settle();
    await restarted.settle();
    expect(log.records.map(({ kind, data }) => [kind, data['process'], data['unseen']])).toEqual([['agent_start', idOf(peer), undefined], ['agent_exit', idOf(peer), true]]);
    restarted.close();
  });

  it('sees that a process has ended which nobody waited for', async () => {
    const parent = new Program(PYTHON, ['-c', 'import os, sys, time\npid = os.fork()\nif pid == 0: os._exit(0)\ntime.sleep(0.2)\nprint(pid, flush=True)\nsys.stdin.read()']);
    open.push(parent);
    const pid = await parent.line();
    const process = `${pid}.${statField(`/proc/${pid}`, 22)}`;
    await log.append('agent_start', { agent_id: agent.id, process });
    await lives.settle();
    expect(log.records.at(-1)).toMatchObject({ kind: 'agent_exit', data: { process, unseen: true } });
  });

  it('takes no other process for the one that had its pid', async () => {
    const { peer } = await start();
    await lives.launched(peer, agent, MEASURED);
    const { data } = log.records[0] ?? {};
    log.restart();
    await log.append('agent_start', { ...data, process: `${peer.pid}.1` });
    const restarted = begin();
    await restarted.settle();
    expect(log.records.at(-1)).toMatchObject({ kind: 'agent_exit', data: { process: `${peer.pid}.1`, unseen: true } });
    restarted.close();
  });
});

describe('while the log takes no records', () => {
  const away = (): void => { log.trouble = fault('tpm.absent', { channel: 'device:/dev/tpmrm0' }); };

  it('an agent is launched, and its start and end are written when it does', async () => {
    away();
    const { program, peer } = await start();
    await lives.launched(peer, agent, MEASURED);
    const { peer: lasting } = await start();
    await lives.launched(lasting, agent, MEASURED);
    peer.close();
    await program.end();
    await lives.settle();
    log.trouble = null;
    expect(log.records).toEqual([]);
    await lives.settle();
    expect(log.records.map(({ kind, data }) => [kind, data['process']])).toEqual([['agent_start', idOf(peer)], ['agent_exit', idOf(peer)], ['agent_start', idOf(lasting)]]);
  });

  it('a sidecar ends in order that owes the end of an agent', async () => {
    const { program, peer } = await start();
    await lives.met(peer, agent);
    lives.close();
    const restarted = begin();
    await restarted.settle();
    away();
    peer.close();
    await program.end();
    await new Promise((done) => { setTimeout(done, 50); });
    restarted.close();
    log.trouble = null;
    await restarted.settle();
    expect(log.kinds).toEqual(['agent_start']);
  });

  it('no agent is measured for a payment', async () => {
    away();
    const { peer } = await start();
    await expect(lives.measure(peer, agent)).rejects.toMatchObject({ code: 'tpm.absent' });
    await lives.met(peer, agent);
  });

  it('nothing but the log excuses a start that cannot be recorded', async () => {
    log.trouble = fault('register.value');
    const { peer } = await start();
    await expect(lives.launched(peer, agent, MEASURED)).rejects.toMatchObject({ code: 'register.value' });
  });
});

describe('a new epoch of the log', () => {
  it('begins with the agents that run, as they were when they were last looked at', async () => {
    const { program, peer } = await start();
    await program.ask('anonymous');
    await lives.measure(peer, agent);
    const before = log.records;
    log.restart();
    await lives.settle();
    expect(log.records).toEqual(before);
    expect(log.kinds).toEqual(['agent_drift']);
  });
});
