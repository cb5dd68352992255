/** Attacks that come and go between two payments, or wear what was measured before: what stays of them is seen, and what leaves nothing is a limit. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Process } from '../../cli/demo/processes.js';
import { type Bed, LAUNCHED, LIBRARY_NAME, NODE, PYTHON, PYTHON_AGENT, program } from './bed.js';
import { against, type Attack, between, mustAnswer, ran, root, SETTLED, word } from './ways.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Runs an expression in a Node process through its inspector, which it then closes. */
async function evaluate(port: number, expression: string): Promise<void> {
  const targets = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json() as { webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '');
  await once(socket, 'open');
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: `${expression}; setTimeout(() => process.getBuiltinModule('node:inspector').close(), 20)` } }));
  await once(socket, 'message');
  await once(socket, 'close');
}

async function inspected(bed: Bed): Promise<string> {
  const port = await freePort(), mark = join(bed.stage.dir, 'inspected');
  const agent = await bed.start(NODE, { before: [`--inspect-port=127.0.0.1:${port}`] });
  const first = await bed.pay(agent);
  if (first !== SETTLED) return `before the attack: ${first}`;
  process.kill(agent.pid, 'SIGUSR1');
  await wait(500);
  await evaluate(port, `process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`);
  ran(mark);
  return bed.pay(agent);
}

async function visited(bed: Bed, agent: Process): Promise<void> {
  const library = join(bed.stage.dir, 'visitor.so'), mark = join(bed.stage.dir, 'visited');
  execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-o', library, '-'], { input: `#include <fcntl.h>\n__attribute__((constructor)) static void run(void) { creat(${JSON.stringify(mark)}, 0600); }\n` });
  await agent.ask(`visit ${library}`);
  ran(mark);
}

/** A cache that Python takes for that of `prices.py`, for its head says so, and that holds another price. */
const POISON = (source: string): string => `import importlib.util, marshal, os, struct
source = ${JSON.stringify(source)}
cache = importlib.util.cache_from_source(source)
os.makedirs(os.path.dirname(cache), exist_ok=True)
found = os.stat(source)
with open(cache, 'wb') as file:
    file.write(importlib.util.MAGIC_NUMBER + struct.pack('<III', 0, int(found.st_mtime), found.st_size) + marshal.dumps(compile('PRICE = 1', source, 'exec')))`;
const QUIET = { env: { PYTHONDONTWRITEBYTECODE: '1' } };

const poison = (at: string): void => void execFileSync(PYTHON ?? '', ['-c', POISON(join(at, 'prices.py'))]);
const cleanse = (at: string): void => rmSync(join(at, '__pycache__'), { recursive: true, force: true });

const poisonedBefore = async (bed: Bed): Promise<string> => {
  const at = bed.root(PYTHON_AGENT);
  try {
    poison(at);
    const agent = await bed.start(PYTHON_AGENT, QUIET);
    await mustAnswer(agent, 'price', '1');
    return await bed.pay(agent);
  } finally {
    cleanse(at);
  }
};
const poisonedMeanwhile = between(PYTHON_AGENT, async (bed, agent) => {
  const at = bed.root(PYTHON_AGENT);
  poison(at);
  await mustAnswer(agent, 'price', '1');
  cleanse(at);
}, QUIET);

const replaced = async (bed: Bed): Promise<string> => {
  const library = join(bed.root(PYTHON_AGENT), LIBRARY_NAME);
  return between(PYTHON_AGENT, async (_, agent) => {
    await agent.ask(`load ${library}`);
    const loaded = await bed.pay(agent);
    if (loaded !== SETTLED) throw new Error(`its own library: ${loaded}`);
    copyFileSync(library, `${library}.new`);
    renameSync(`${library}.new`, library);
  })(bed);
};

const HIDE = (folder: string): string => `assert libc.unshare(0x00020000) == 0
libc.mount(b'none', b'/', None, 0x44000, None)
assert libc.mount(b'tmpfs', ${JSON.stringify(folder)}.encode(), b'tmpfs', 0, None) == 0`;

export const TRANSIENT: readonly Attack[] = [
  { name: 'inspector opened and closed between payments', on: NODE, expected: SETTLED, limit: 'it leaves no file, mapping or socket', run: inspected },
  { name: 'library loaded and unloaded between payments', on: PYTHON_AGENT, expected: SETTLED, limit: 'it is no longer mapped; IMA (MMAP_CHECK) sees it', possible: () => program('cc') !== null, run: between(PYTHON_AGENT, visited) },
  { name: 'library of the agent replaced by an equal one', on: PYTHON_AGENT, expected: 'agent.foreign_mapping', run: replaced },
  { name: 'poisoned cache of a module (.pyc)', on: PYTHON_AGENT, expected: 'agent.version_not_authorised', run: poisonedBefore },
  { name: 'poisoned cache, removed once it was loaded', on: PYTHON_AGENT, expected: 'agent.changed_since_start', run: poisonedMeanwhile },
  { name: 'module imported without a cache, launched', on: LAUNCHED, expected: SETTLED, run: async (bed) => {
    const agent = await bed.launch(LAUNCHED);
    await mustAnswer(agent, 'price', '100');
    return bed.pay(agent);
  } },
  { name: 'pid given again to another process', on: PYTHON_AGENT, expected: 'peer.pid_reused', possible: () => root, run: async (bed) => {
    const agent = await bed.start(PYTHON_AGENT);
    const first = await bed.pay(agent);
    return first === SETTLED ? agent.ask(`reuse ${bed.key()}`) : `before the attack: ${first}`;
  } },
  { name: 'joined another mount namespace (setns)', on: PYTHON_AGENT, expected: 'agent.version_not_authorised', possible: () => root, run: between(PYTHON_AGENT, async (bed, agent) => {
    const other = await against(agent, HIDE(bed.root(PYTHON_AGENT)));
    await word(`enter ${other.pid}`)(bed, agent);
    await other.stop('SIGKILL');
  }) },
];
