/** Looking again, at a payment, at an agent that did not change: beside hashing everything it consists of anew. */
import { copyFileSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Agent, Peer } from '../../daemon/ports.js';
import { identify } from '../../daemon/door/peer.js';
import { hashTree } from '../../daemon/sense/build.js';
import { FileHashes } from '../../daemon/sense/hash.js';
import { mappingsOf } from '../../daemon/sense/learn.js';
import { Senses } from '../../daemon/sense/sense.js';
import { measure } from '../../attest/measure.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { MANIFEST, verifiedManifest } from '../support/agent.js';
import { Process } from '../../cli/demo/processes.js';
import { median, row, type Row } from './harness.js';
import { inFolder } from './place.js';

const FILES = [5_000, 20_000] as const;
const MAPPINGS = 300;
const ROUNDS = 200;
const FULL_ROUNDS = 3;
/** Files count as settled when they are some seconds old. */
const later = (): number => Date.now() + 10_000;
const PYTHON = realpathSync(execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim());
const LIBRARY = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/libanl.so.1`;

/** Loads copies of a library until it has so many mappings, connects and waits. */
const PROGRAM = `import ctypes, os, socket, sys
os.environ
socket_path, folder = sys.argv[1:3]
libraries = sorted(os.listdir(folder))
while len(open('/proc/self/maps').readlines()) < ${MAPPINGS}:
    ctypes.CDLL(os.path.join(folder, libraries.pop()))
connection = socket.socket(socket.AF_UNIX)
connection.connect(socket_path)
print('ready', flush=True)
sys.stdin.read()
`;

function makeAgent(root: string, files: number): void {
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'agent.py'), PROGRAM);
  for (let n = 1; n < files; n++) {
    const folder = join(root, 'package', String(n % 200));
    if (n <= 200) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${n}.py`), `value = ${n}\n${'#'.repeat(3000)}\n`);
  }
}

async function connected(dir: string, root: string): Promise<{ process: Process; peer: Peer }> {
  const path = join(dir, 'agent.sock');
  rmSync(path, { force: true });
  const server = createServer({ pauseOnConnect: true }).listen(path);
  await once(server, 'listening');
  const process = new Process('agent', PYTHON, [join(root, 'agent.py'), path, join(dir, 'libraries')]);
  const [socket] = await once(server, 'connection') as [Parameters<typeof identify>[0]];
  const peer = identify(socket);
  server.close();
  return { process, peer };
}

/** CPU time of this process, all threads, ms. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const from = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

async function rowsOf(dir: string, files: number): Promise<Row[]> {
  const root = join(dir, String(files));
  makeAgent(root, files);
  const { process: agentProcess, peer } = await connected(dir, root);
  try {
    const mapped = await mappingsOf(peer.pid);
    const value: AgentManifest = { ...MANIFEST, files: await hashTree(root), interpreters: mapped.filter(({ path }) => path === PYTHON), mappings: mapped, launch: { entry: 'agent.py', runtime: 'python', allowAnonymousCode: false } };
    const agent: Agent = { id: value.agent.id, manifest: verifiedManifest(value), root, uid: null };
    const look = async (senses: Senses): Promise<unknown> => measure(await senses.look(peer, agent), { agentId: agent.id, manifestSha256: agent.manifest.sha256, manifest: value, mode: 'attach', earlier: [] });
    const kept = new Senses(new FileHashes(later));
    const again: number[] = [], naive: number[] = [];
    for (let round = -2; round < ROUNDS; round++) {
      const cpu = await cpuOf(() => look(kept));
      if (round >= 0) again.push(cpu);
    }
    for (let round = 0; round < FULL_ROUNDS; round++) naive.push(await cpuOf(() => look(new Senses(new FileHashes(later)))));
    const what = `${MAPPINGS} mappings, ${files.toLocaleString('en')} files, unchanged: CPU of the sidecar`;
    return [row(what, median(again), 'ms', { beside: { what: 'everything hashed anew', value: median(naive) }, headline: files === FILES[0] })];
  } finally {
    peer.close();
    await agentProcess.stop('SIGKILL');
  }
}

export const run = (): Promise<Row[]> => inFolder(async (dir) => {
  mkdirSync(join(dir, 'libraries'));
  for (let n = 0; n < MAPPINGS; n++) copyFileSync(LIBRARY, join(dir, 'libraries', `${String(n).padStart(3, '0')}.so`));
  const rows: Row[] = [];
  for (const files of FILES) rows.push(...await rowsOf(dir, files));
  return rows;
});
