/**
 * Reads what is true of an agent's process now. Everything is read below {@link Peer.proc}, which never shows another process; whether it is still
 * the same program is asked by {@link Peer.stillThere} after it. What cannot be read is said, or refuses the measurement: it is never left out.
 */
import { readlink, stat } from 'node:fs/promises';
import type { Snapshot } from '../../attest/measure.js';
import { Fault } from '../../src/base/fault.js';
import type { Agent, Peer } from '../ports.js';
import { readCommandLine } from './command.js';
import { fileHashes } from './hash.js';
import { senseInspector } from './inspector.js';
import { senseCode } from './maps.js';
import { senseEnvNames, senseProcess, senseTracer } from './status.js';
import { senseTree } from './tree.js';

/** @throws Fault peer.gone when the process ended meanwhile, peer.unreadable when the sidecar may not look at it */
export async function sense(peer: Peer, agent: Agent): Promise<Snapshot> {
  try {
    return await read(peer.proc, peer, agent);
  } catch (cause) {
    peer.stillThere();
    throw new Fault('peer.unreadable', { pid: peer.pid, what: (cause as NodeJS.ErrnoException).code ?? (cause as Error).message }, cause);
  }
}

async function read(proc: string, peer: Peer, agent: Agent): Promise<Snapshot> {
  const [exe, code, tracerPid, inspector, envNames, command, process, files] = await Promise.all([
    senseExecutable(proc), senseCode(proc, fileHashes), senseTracer(proc), senseInspector(proc), senseEnvNames(proc), readCommandLine(proc),
    senseProcess(proc, peer.startTicks), senseTree(`${proc}/root${agent.root}`, agent.manifest.value, fileHashes),
  ]);
  return { exe, mappings: code.mappings, anonymousCode: code.anonymous, tracerPid, inspector, envNames, options: command.options, process, files };
}

/** Through the open inode: its content, also when the name is gone. Replaced: the name leads elsewhere now. */
async function senseExecutable(proc: string): Promise<Snapshot['exe']> {
  const path = await readlink(`${proc}/exe`);
  const { sha256, dev, ino } = await fileHashes.hash(`${proc}/exe`);
  const named = await stat(`${proc}/root${path}`, { bigint: true }).catch(() => null);
  return { path: path.slice(0, 4096), sha256, replaced: named === null || named.dev.toString() !== dev || named.ino.toString() !== ino };
}
