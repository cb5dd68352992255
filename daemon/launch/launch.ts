/** The launcher's side of a launch: one process from measured files to its exit. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { executables } from '../../attest/manifest.js';
import { Fault, fault } from '../../src/base/fault.js';
import type { Agent } from '../ports.js';
import { FileHashes } from '../sense/hash.js';
import { optionsOf, type Plan } from './plan.js';
import type { Order } from './starter.js';

/** The built starter, also when this runs from sources. */
const STARTER = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/daemon/launch/starter.js' : './starter.js', import.meta.url));

export interface LaunchOptions {
  readonly agent: Agent;
  readonly plan: Plan;
  readonly socket: string;
  /** Whom the agent runs as; null for the launcher's own user. */
  readonly user: Order['user'];
  /** Standard streams: the launcher's own, or pipes to it. */
  readonly stdio?: 'inherit' | 'pipe';
  /** Asks the sidecar to take the waiting process for the agent. @throws Error when it does not: the agent is then not started */
  readonly announce: (request: { agentId: string; pid: number; options: string[]; envNames: string[] }) => Promise<unknown>;
}

/**
 * Starts the agent; its standard streams are the launcher's, unless they are to be pipes.
 * @throws Fault agent.exe_unknown when the executable is not of the manifest, usage.wrong when it cannot be run; whatever `announce` throws
 */
export async function launch({ agent, plan, socket, user, announce, stdio = 'inherit' }: LaunchOptions): Promise<ChildProcess> {
  const executable = await openMeasured(agent, plan.executable);
  const child = spawn(process.execPath, [STARTER], { stdio: [stdio, stdio, stdio, 'pipe', executable.fd], env: {} });
  try {
    const control = child.stdio[3] as unknown as Duplex;
    const lines = createInterface({ input: control.on('error', () => undefined) })[Symbol.asyncIterator]();
    const order: Order = { socket, argv: plan.argv, env: plan.env, user };
    control.write(`${JSON.stringify(order)}\n`);
    await expectLine(lines, 'connected', plan.executable);
    await announce({ agentId: agent.id, pid: child.pid ?? 0, options: optionsOf(plan), envNames: Object.keys(plan.env) });
    control.write('go\n');
    // The socket is closed by the exec: no line is the good news.
    await expectLine(lines, null, plan.executable);
    control.destroy();
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    await executable.close();
  }
}

/** The file stays open from before it is hashed until it is run. */
async function openMeasured(agent: Agent, path: string): Promise<FileHandle> {
  const file = await open(path, 'r').catch((cause: Error) => { throw new Fault('usage.wrong', { what: `${path} cannot be run: ${cause.message}` }, cause); });
  const { sha256 } = await new FileHashes().hash(`/proc/self/fd/${file.fd}`);
  if (executables(agent.manifest.value).has(sha256)) return file;
  await file.close();
  throw fault('agent.exe_unknown', { path });
}

async function expectLine(lines: AsyncIterator<string>, wanted: string | null, path: string): Promise<void> {
  const { value, done } = await lines.next();
  const line = done === true ? null : value;
  if (line !== wanted) throw fault('usage.wrong', { what: `${path} could not be started: ${line ?? 'the starter ended'}` });
}

/** @returns the exit status as a shell tells it: 128 and the number of the signal for an agent that one ended */
export async function exitOf(child: ChildProcess, numbers: Readonly<Record<string, number>>): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode ?? 128 + (numbers[child.signalCode ?? ''] ?? 0);
}
