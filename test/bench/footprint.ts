/** What the two processes weigh when they have nothing to do, and how long they take to be ready, beside a Node process that does nothing at all. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stage } from '../../cli/demo/stage.js';
import { ari, Process } from '../../cli/demo/processes.js';
import { median, row, type Row } from './harness.js';

const STARTS = 3;
const REST_MS = 1500;
const POLL_MS = 4;

interface Start { readyMs: number; rssMB: number }

/** Starts a process, waits until a check holds, lets it rest, weighs it and ends it. */
async function start(begin: () => Process, ready: (process: Process) => Promise<boolean>): Promise<Start> {
  const from = performance.now();
  const process = begin();
  while (!(await ready(process).catch(() => false))) await sleep(POLL_MS);
  const readyMs = performance.now() - from;
  await sleep(REST_MS);
  const status = await readFile(`/proc/${process.pid}/status`, 'utf8').catch(() => process.fail('ended while it rested'));
  await process.stop();
  return { readyMs, rssMB: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1000 };
}

/** A Node process with an empty program, ready when it answers a line. */
const bareNode = (): Promise<Start> => start(
  () => new Process('node', process.execPath, ['-e', 'process.stdin.on("data", () => console.log("ready"))']),
  async (node) => (await node.ask('')) === 'ready',
);

export async function run(): Promise<Row[]> {
  const stage = await Stage.open();
  try {
    await stage.startTpm();
    await stage.startVerifier();
    await stage.createUser();
    await stage.startSidecar();
    await stage.sidecar.stop();
    const [bare, daemon, verifier]: [Start[], Start[], Start[]] = [[], [], []];
    for (let n = 0; n < STARTS; n++) {
      bare.push(await bareNode());
      daemon.push(await start(() => ari('sidecar', 'daemon', '-c', stage.sidecarConfig), async () => (await stage.status()).verifier.connected));
    }
    await stage.verifier.stop();
    const config = join(stage.dir, 'verifier', 'verifier.toml');
    for (let n = 0; n < STARTS; n++) {
      bare.push(await bareNode());
      verifier.push(await start(() => ari('verifier', 'verifier', 'serve', '-c', config, '--log-level', 'warn'), () => stage.api.get('/healthz').then(() => true)));
    }
    return rowsOf(bare, daemon, verifier);
  } finally {
    await stage.close();
  }
}

function rowsOf(bare: Start[], daemon: Start[], verifier: Start[]): Row[] {
  const of = (starts: Start[], what: keyof Start): number => median(starts.map((each) => each[what]));
  const beside = (what: keyof Start): { what: string; value: number } => ({ what: 'a bare node process', value: of(bare, what) });
  return [
    row('sidecar, idle memory', of(daemon, 'rssMB'), 'MB', { beside: beside('rssMB'), headline: true }),
    row('sidecar, from start to connected and proven', of(daemon, 'readyMs'), 'ms', { beside: beside('readyMs'), headline: true }),
    row('verifier, idle memory', of(verifier, 'rssMB'), 'MB', { beside: beside('rssMB') }),
    row('verifier, from start to serving', of(verifier, 'readyMs'), 'ms', { beside: beside('readyMs') }),
  ];
}
