import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compareWithManifest } from '../../../attest/manifest.js';
import { measure } from '../../../attest/measure.js';
import { weighs } from '../../../attest/verify/status.js';
import type { Finding } from '../../../src/base/fault.js';
import type { Agent, Peer } from '../../../daemon/ports.js';
import { sense } from '../../../daemon/sense/sense.js';
import type { AgentClaims } from '../../../src/objects/claims.js';
import { agentIn, Listener, NODE, Program, PYTHON, removeDir, tempDir, writeTree } from '../support/agents.js';

const SUPPORT = join(import.meta.dirname, '../support');
const NODE_AGENT = "require('node:net').connect(process.argv[2], () => console.log('ready')).on('error', () => {}); process.stdin.resume();\n";
/** A part of the C library that neither runtime maps by itself. */
const foreignLibrary = join('/usr/lib', `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`, 'libanl.so.1');

let dir: string;
let listener: Listener;
let nodeAgent: Agent;
let pythonAgent: Agent;
let open: { program: Program; peer: Peer }[] = [];

beforeAll(async () => {
  dir = tempDir();
  listener = await Listener.in(dir);
  writeTree(join(dir, 'node'), { 'agent.js': NODE_AGENT, 'lib/tool.js': 'exports.tool = 1;\n', 'prompt.txt': 'be honest\n' });
  mkdirSync(join(dir, 'python'));
  cpSync(join(SUPPORT, 'agent.py'), join(dir, 'python/agent.py'));
  [nodeAgent, pythonAgent] = await Promise.all([agentIn(join(dir, 'node'), 'agent.js', 'node'), agentIn(join(dir, 'python'), 'agent.py', 'python')]);
});
afterEach(async () => {
  for (const { program, peer } of open.splice(0)) {
    peer.close();
    await program.end();
  }
});
afterAll(() => {
  listener.close();
  removeDir(dir);
});

async function start(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ program: Program; peer: Peer }> {
  const program = new Program(command, args, env);
  const { peer } = await listener.next();
  await program.line();
  open.push({ program, peer });
  return { program, peer };
}
const startNode = (options: string[] = [], env: NodeJS.ProcessEnv = {}): ReturnType<typeof start> => start(NODE, [...options, join(dir, 'node/agent.js'), listener.path], env);
const startPython = (env: NodeJS.ProcessEnv = {}, command = PYTHON): ReturnType<typeof start> => start(command, [join(dir, 'python/agent.py'), listener.path], env);

async function claimsOf(peer: Peer, agent: Agent): Promise<AgentClaims> {
  return measure(await sense(peer, agent), { agentId: agent.id, manifestSha256: agent.manifest.sha256, manifest: agent.manifest.value, mode: 'attach', earlier: [] });
}
/** Those that weigh: what is noted of this machine is not the agent's. */
const judged = (claims: AgentClaims, agent: Agent): Finding[] => compareWithManifest(claims, agent.manifest.value).filter(weighs);
const findings = async (peer: Peer, agent: Agent): Promise<string[]> => judged(await claimsOf(peer, agent), agent).map(({ code }) => code);

describe('an agent that is as its publisher made it', () => {
  it('gives no finding when it runs on Node', async () => {
    const { peer } = await startNode();
    const claims = await claimsOf(peer, nodeAgent);
    expect(judged(claims, nodeAgent)).toEqual([]);
    expect(claims).toMatchObject({ exe: { path: NODE, replaced: false }, tree: { files: 3, drift: [] }, injection: { tracerPid: 0, inspector: false, riskyEnv: [] } });
    expect(claims.injection.anonymousCode).toBeGreaterThan(0);
    expect(claims.process).toMatchObject({ uid: process.getuid?.(), startTicks: peer.startTicks, noNewPrivs: false });
  });

  it('gives no finding when it runs on Python', async () => {
    const { peer } = await startPython();
    expect(await findings(peer, pythonAgent)).toEqual([]);
  });

  it('gives the same claims each time', async () => {
    const { peer } = await startPython();
    expect(await claimsOf(peer, pythonAgent)).toEqual(await claimsOf(peer, pythonAgent));
  });

  it('may listen on a port of its own', async () => {
    const script = join(dir, 'node/agent.js');
    const { peer } = await start(NODE, ['-e', `require('http').createServer((q, s) => s.end('hello')).listen(0, '127.0.0.1', () => { process.argv[2] = ${JSON.stringify(listener.path)}; require(${JSON.stringify(script)}) })`]);
    expect(await findings(peer, nodeAgent)).not.toContain('agent.inspector');
  });
});

describe('foreign code is seen', () => {
  it('when LD_PRELOAD loaded a library', async () => {
    const { peer } = await startNode([], { LD_PRELOAD: foreignLibrary });
    const claims = await claimsOf(peer, nodeAgent);
    expect(judged(claims, nodeAgent).map(({ code }) => code)).toEqual(['agent.foreign_mapping', 'agent.env_risky']);
    expect(claims.injection.riskyEnv).toEqual(['LD_PRELOAD']);
  });

  it('when a library was loaded later', async () => {
    const { program, peer } = await startPython();
    await program.ask(`map ${foreignLibrary}`);
    expect(await findings(peer, pythonAgent)).toEqual(['agent.foreign_mapping']);
  });

  it('when a library was loaded and its file removed', async () => {
    const copy = join(dir, 'hidden.so');
    copyFileSync(foreignLibrary, copy);
    const { program, peer } = await startPython();
    await program.ask(`map ${copy}`);
    unlinkSync(copy);
    const { mappings } = await claimsOf(peer, pythonAgent);
    expect(mappings).toContainEqual({ path: copy, sha256: expect.any(String), deleted: true });
    expect(await findings(peer, pythonAgent)).toEqual(['agent.foreign_mapping']);
  });

  it('when executable memory has no file and the runtime makes none', async () => {
    const { program, peer } = await startPython();
    await program.ask('anonymous');
    expect(await findings(peer, pythonAgent)).toEqual(['agent.anonymous_code']);
  });

  it('when NODE_OPTIONS loads a module before the agent', async () => {
    writeFileSync(join(dir, 'evil.js'), '');
    const { peer } = await startNode([], { NODE_OPTIONS: `--require=${join(dir, 'evil.js')}` });
    expect(await findings(peer, nodeAgent)).toEqual(['agent.env_risky']);
  });

  it('when an option of the command line does', async () => {
    const { peer } = await startNode([`--require=${join(dir, 'evil.js')}`]);
    expect((await claimsOf(peer, nodeAgent)).injection.riskyEnv).toEqual(['argv:--require']);
  });

  it('when its executable was replaced since the start', async () => {
    const copy = join(dir, 'python-copy');
    copyFileSync(PYTHON, copy);
    const home = execFileSync(PYTHON, ['-c', 'import sys; print(sys.base_prefix)'], { encoding: 'utf8' }).trim();
    const { peer } = await startPython({ PYTHONHOME: home }, copy);
    expect(await findings(peer, pythonAgent)).toEqual(['agent.env_risky']);
    copyFileSync(PYTHON, `${copy}.new`);
    renameSync(`${copy}.new`, copy);
    expect(await findings(peer, pythonAgent)).toContain('agent.exe_replaced');
    rmSync(copy);
    expect(await findings(peer, pythonAgent)).toContain('agent.exe_replaced');
  });

  it('when its executable is not of the manifest', async () => {
    const { peer } = await startPython();
    expect(await findings(peer, { ...nodeAgent, root: pythonAgent.root })).toContain('agent.exe_unknown');
  });
});

describe('a debugger is seen', () => {
  it('when the agent was started with --inspect', async () => {
    const { peer } = await startNode(['--inspect=127.0.0.1:0']);
    expect(await findings(peer, nodeAgent)).toEqual(['agent.inspector']);
  });

  it('when a signal opened the inspector of the running agent', async () => {
    const { peer } = await startNode(['--inspect-port=127.0.0.1:0']);
    expect(await findings(peer, nodeAgent)).toEqual([]);
    process.kill(peer.pid, 'SIGUSR1');
    await expect.poll(() => findings(peer, nodeAgent), { timeout: 5000 }).toEqual(['agent.inspector']);
  });

  it.each(['leader', 'thread'])('when it traces the agent by its %s', async (which) => {
    const { peer } = await startNode();
    const thread = which === 'leader' ? peer.pid : Number(readdirSync(`/proc/${peer.pid}/task`).at(-1));
    const tracer = new Program(PYTHON, ['-c', `import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.ptrace(0x4206, ${thread}, None, None), flush=True)
sys.stdin.readline()`]);
    expect(await tracer.line()).toBe('0');
    const claims = await claimsOf(peer, nodeAgent);
    await tracer.end();
    expect(claims.injection.tracerPid).toBe(tracer.child.pid);
    expect(judged(claims, nodeAgent).map(({ code }) => code)).toEqual(['agent.traced']);
    await expect.poll(() => findings(peer, nodeAgent)).toEqual([]);
  });
});

describe('the files of the agent', () => {
  it('are named one by one when they are changed, missing or too many', async () => {
    const { peer } = await startNode();
    await wait(100);
    const root = nodeAgent.root;
    writeTree(root, { 'lib/tool.js': 'exports.tool = 2;\n', 'node_modules/evil/index.js': '', 'state.db': 'data' });
    renameSync(join(root, 'prompt.txt'), join(dir, 'prompt.txt'));
    const found = judged(await claimsOf(peer, nodeAgent), nodeAgent).map(({ code, message }) => `${code}: ${message}`);
    expect(found.map((line) => line.split(': ')[0])).toEqual(['agent.version_not_authorised', 'agent.drift', 'agent.drift', 'agent.drift']);
    for (const name of ['lib/tool.js (changed)', 'prompt.txt (missing)', 'node_modules/evil/index.js (extra)']) expect(found.some((line) => line.includes(name)), name).toBe(true);
    rmSync(join(root, 'node_modules'), { recursive: true });
    renameSync(join(dir, 'prompt.txt'), join(root, 'prompt.txt'));
    writeTree(root, { 'lib/tool.js': 'exports.tool = 1;\n' });
    expect(await findings(peer, nodeAgent)).toEqual(['agent.changed_since_start']);
    expect((await claimsOf(peer, nodeAgent)).tree.changedSinceStart).toEqual(['lib/tool.js', 'prompt.txt', 'node_modules']);
    const { peer: restarted } = await startNode();
    expect(await findings(restarted, nodeAgent)).toEqual([]);
  });
});

describe('a process that ends while it is measured', () => {
  it('is gone, never half measured', async () => {
    const { program, peer } = await startNode();
    await program.end();
    await expect(sense(peer, nodeAgent)).rejects.toMatchObject({ code: expect.stringMatching(/^peer\.(?:gone|pid_reused)$/) });
  });
});

describe('code that is changed in memory only', () => {
  it('is seen, also when the very same bytes are written', async () => {
    const { peer } = await startNode();
    expect((await claimsOf(peer, nodeAgent)).injection.patchedPages).toBe(0);
    execFileSync(PYTHON, ['-c', `pid = ${peer.pid}
start = next(int(l.split('-')[0], 16) for l in open(f'/proc/{pid}/maps') if ' r-xp ' in l and 'libc.so' in l)
with open(f'/proc/{pid}/mem', 'r+b', 0) as memory:
    memory.seek(start + 4096); code = memory.read(4); memory.seek(start + 4096); memory.write(code)`]);
    expect((await claimsOf(peer, nodeAgent)).injection.patchedPages).toBe(1);
    expect(await findings(peer, nodeAgent)).toEqual(['agent.code_patched']);
  });
});

describe('what the agent reads to decide', () => {
  it('is part of it: a changed prompt is drift', async () => {
    const { peer } = await startNode();
    await wait(100);
    writeTree(nodeAgent.root, { 'prompt.txt': 'be rich\n' });
    expect(await findings(peer, nodeAgent)).toEqual(['agent.version_not_authorised', 'agent.drift']);
    writeTree(nodeAgent.root, { 'prompt.txt': 'be honest\n' });
    expect(await findings(peer, nodeAgent)).toEqual(['agent.changed_since_start']);
  });
});
