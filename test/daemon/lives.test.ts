import { mkdirSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { logEntry } from '../../attest/log.js';
import { compareWithManifest } from '../../attest/manifest.js';
import { weighs } from '../../attest/verify/status.js';
import { Launches } from '../../daemon/launch/launches.js';
import { Lives } from '../../daemon/lives.js';
import type { Agent, Peer } from '../../daemon/ports.js';
import type { LogContent, LogEntry } from '../../src/objects/evidence.js';
import { agentIn, Listener, Program, PYTHON, removeDir, tempDir } from './support/agents.js';
import { silentLog } from './support/api.js';

let dir: string;
let listener: Listener;
let agent: Agent;
let entries: LogEntry[];
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
  entries = [];
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

/** A log as the prover keeps it. */
const begin = (): Lives => new Lives({
  append: async (kind, data) => { entries.push(logEntry(entries.length, '01d10300', { kind, data: data as LogContent['data'] })); },
  log: () => ({ epoch: '', from: 0, entries: entries.map((entry, n) => (n === 0 ? logEntry(0, entry.nvIndex, { kind: 'boot_anchor', data: {} }) : entry)) }),
}, new Launches(), silentLog);
const records = (): { kind: string; data: Record<string, unknown> }[] => entries.map(({ content }) => JSON.parse(Buffer.from(content, 'base64url').toString()) as never);

async function start(): Promise<{ program: Program; peer: Peer }> {
  const program = new Program(PYTHON, [join(dir, 'agent/agent.py'), listener.path]);
  const { peer } = await listener.next();
  await program.line();
  open.push(program);
  return { program, peer };
}
const codes = async (peer: Peer, by = lives): Promise<string[]> => compareWithManifest(await by.measure(peer, agent), agent.manifest.value).filter(weighs).map(({ code }) => code);
const library = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/libanl.so.1`;

describe('the life of an agent', () => {
  it('is in the log from start to exit, with its drift', async () => {
    const { program, peer } = await start();
    expect(await codes(peer)).toEqual([]);
    await program.ask(`map ${library}`);
    expect(await codes(peer)).toEqual(['agent.foreign_mapping']);
    peer.close();
    await program.end();
    await expect.poll(() => records().map(({ kind }) => kind)).toEqual(['agent_start', 'agent_drift', 'agent_exit']);
    expect(records().map(({ data }) => data['process'])).toEqual(Array(3).fill(`${peer.pid}.${peer.startTicks}`));
    expect(records()[1]?.data).toMatchObject({ agent_id: agent.id, mode: 'attach', codes: ['agent.foreign_mapping'] });
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

  it('is not forgotten by a sidecar that is restarted', async () => {
    entries.push(logEntry(0, '01d10300', { kind: 'boot_anchor', data: {} }));
    const { program, peer } = await start();
    await program.ask('anonymous');
    expect(await codes(peer)).toEqual(['agent.anonymous_code']);
    const restarted = begin();
    expect((await restarted.measure(peer, agent)).injection.earlier).toEqual(['agent.anonymous_code']);
    restarted.close();
  });
});
