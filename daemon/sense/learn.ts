/** Which libraries an interpreter maps by itself: what a publisher puts into `mappings` of a manifest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { fault } from '../../src/base/fault.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { fileHashes } from './hash.js';
import { CodeSense } from './maps.js';

type Runtime = AgentManifest['launch']['runtime'];
export type LearntFile = AgentManifest['mappings'][number];

/** Read from standard input: makes the runtime load what agents commonly use, then waits until it is ended. */
const EXERCISE: Partial<Record<Runtime, string>> = {
  node: 'require("node:dns").lookup("localhost", () => {}); require("node:crypto").randomBytes(1); setInterval(() => {}, 1000);\n',
  python: 'import ssl, socket, json, ctypes, hashlib, threading, time\ntry:\n  socket.getaddrinfo("localhost", 0)\nexcept OSError:\n  pass\ntime.sleep(60)\n',
  shell: 'kill -STOP $$\n',
};
const STEP_MS = 150;
const STEPS = 40;

/** The file-backed code of a running process, by content. @throws Fault usage.wrong when it cannot be read or holds code without a file name */
export async function mappingsOf(pid: number): Promise<LearntFile[]> {
  const code = await new CodeSense(fileHashes).look(`/proc/${pid}`, `${pid}`).catch((cause: Error) => {
    throw fault('usage.wrong', { what: `the code of process ${pid} cannot be read: ${cause.message}` });
  });
  return code.mappings.map(({ path, sha256, deleted }) => {
    if (sha256 === null || deleted) throw fault('usage.wrong', { what: `process ${pid} runs code that has no file: ${path}` });
    return { path, sha256 };
  }).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Starts an interpreter with a clean environment, lets it load what agents commonly use, and answers what it mapped: the interpreter itself and
 * its libraries. A library that an agent loads later is not among them: learn it from the running agent with {@link mappingsOf}.
 * @throws Fault usage.wrong when the runtime has no interpreter to start or it ends by itself
 */
export async function learnMappings(interpreter: string, runtime: Runtime): Promise<LearntFile[]> {
  const program = EXERCISE[runtime];
  if (program === undefined) throw fault('usage.wrong', { what: `what a ${runtime} agent maps is learnt from a running one` });
  const child = spawn(interpreter, [], { stdio: ['pipe', 'ignore', 'ignore'], env: {} });
  const failed = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(fault('usage.wrong', { what: `${interpreter} cannot be run as ${runtime}` }));
    child.once('error', refuse).once('exit', refuse);
  });
  try {
    child.stdin.on('error', () => undefined).end(program);
    return await Promise.race([settled(child), failed]);
  } finally {
    child.removeAllListeners('exit').kill('SIGKILL');
  }
}

/** Its mappings once they stay the same for three steps. */
async function settled(child: ChildProcess): Promise<LearntFile[]> {
  let last: LearntFile[] = [];
  for (let step = 0, same = 0; step < STEPS && same < 3; step++) {
    await wait(STEP_MS);
    const now = await mappingsOf(child.pid ?? 0);
    same = now.length === last.length ? same + 1 : 0;
    last = now;
  }
  return last;
}
