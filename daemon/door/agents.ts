/**
 * Which configured agent a process is: by user, by the executable, and for an interpreter by the program on its command line.
 *
 * The command line is the process's own memory: it picks one agent among those that this user and executable may be, it proves nothing. Whether the
 * process is the version that its user authorised is measured, and decided by the verifier: so a changed file must not stop an agent here. What
 * follows: in attach mode every process of an agent's user with the agent's interpreter can pose as that agent. Give each agent a user of its own, or have it launched
 * (`launch_only`): then no command line is believed.
 */
import { stat } from 'node:fs/promises';
import { executables } from '../../attest/manifest.js';
import { fault } from '../../src/base/fault.js';
import type { Agent, Peer } from '../ports.js';
import { readCommandLine } from '../sense/command.js';
import { fileHashes } from '../sense/hash.js';

/** @throws Fault peer.unknown unless it is exactly one of the agents; peer.gone and the like when it changed meanwhile */
export async function resolveAgent(peer: Peer, agents: readonly Agent[]): Promise<Agent> {
  const candidates = agents.filter((agent) => !agent.launchOnly && (agent.uid === null || agent.uid === peer.uid));
  const exe = await fileHashes.hash(`${peer.proc}/exe`).catch(() => null);
  const fits = await Promise.all(candidates.map((agent) => isAgent(peer, agent, exe?.sha256 ?? null)));
  peer.stillThere();
  const [agent, ...others] = candidates.filter((_, at) => fits[at]);
  if (agent === undefined || others.length > 0) throw fault('peer.unknown', { pid: peer.pid, uid: peer.uid });
  return agent;
}

async function isAgent(peer: Peer, agent: Agent, exeSha256: string | null): Promise<boolean> {
  const { launch, interpreters } = agent.manifest.value;
  const entry = `${peer.proc}/root${agent.root}/${launch.entry}`;
  const known = exeSha256 !== null && executables(agent.manifest.value).has(exeSha256);
  if (launch.runtime === 'native') return known || isSame(entry, `${peer.proc}/exe`);
  const path = peer.exe.path.replace(/ \(deleted\)$/, '');
  return (known || interpreters.some((file) => file.path === path)) && runs(peer, entry);
}

/** Whether the first argument that is no option names this file. */
async function runs({ proc }: Peer, entry: string): Promise<boolean> {
  const program = programOf(proc);
  return program !== null && isSame(entry, program.startsWith('/') ? `${proc}/root${program}` : `${proc}/cwd/${program}`);
}

/** Null also for a process that has ended: the caller asks whether it is still there. */
function programOf(proc: string): string | null {
  try {
    return readCommandLine(proc).program;
  } catch {
    return null;
  }
}

async function isSame(...paths: [string, string]): Promise<boolean> {
  const [a, b] = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => null)));
  return a !== null && b !== null && a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
