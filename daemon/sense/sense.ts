/**
 * Reads what is true of an agent's process now. Everything is read below {@link Peer.proc}, which never shows another process; whether it is still
 * the same program is asked by {@link Peer.stillThere} after it. What cannot be read is said, or refuses the measurement: it is never left out.
 */
import { readlinkSync, statSync } from 'node:fs';
import type { Snapshot } from '../../attest/measure.js';
import { Fault } from '../../src/base/fault.js';
import type { Agent, Peer } from '../ports.js';
import { readCommandLine } from './command.js';
import { type FileHashes, fileHashes } from './hash.js';
import { senseHooks } from './hooks.js';
import { senseInspector } from './inspector.js';
import { senseKernel } from './kernel.js';
import { CodeSense } from './maps.js';
import { senseEnvNames, senseProcess, senseTracer, startMsOf } from './status.js';
import { TreeSense } from './tree.js';

/** The eyes of one sidecar: what they saw is kept for the next look. */
export class Senses {
  private readonly hashes: FileHashes;
  private readonly code: CodeSense;
  private readonly trees: TreeSense;

  constructor(hashes: FileHashes = fileHashes) {
    this.hashes = hashes;
    this.code = new CodeSense(hashes);
    this.trees = new TreeSense(hashes);
  }

  /** @throws Fault peer.gone when the process ended meanwhile, peer.unreadable when the sidecar may not look at it */
  async look(peer: Peer, agent: Agent): Promise<Snapshot> {
    return this.whileThere(peer, () => this.read(peer, agent));
  }

  private async whileThere<T>(peer: Peer, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      peer.stillThere();
      throw new Fault('peer.unreadable', { pid: peer.pid, what: (cause as NodeJS.ErrnoException).code ?? (cause as Error).message }, cause);
    }
  }

  /** The files alone: of an agent that a process will become. @throws Fault peer.gone, peer.unreadable */
  async tree(peer: Peer, agent: Agent): Promise<Snapshot['tree']> {
    return this.whileThere(peer, () => {
      this.hashes.settle();
      return this.trees.look(peer.proc, agent, Date.now());
    });
  }

  private async read({ proc, pid, uid, startTicks }: Peer, agent: Agent): Promise<Snapshot> {
    this.hashes.settle();
    const [exe, code, inspector, tree] = await Promise.all([
      this.executable(proc), this.code.look(proc, `${pid} ${startTicks}`), senseInspector(proc), this.trees.look(proc, agent, startMsOf(startTicks)),
    ]);
    return {
      exe, tree, inspector, mappings: code.mappings, anonymousCode: code.anonymous, patchedPages: code.patched,
      hooks: senseHooks(proc, uid, agent.manifest.value),
      tracerPid: senseTracer(proc), envNames: senseEnvNames(proc), options: readCommandLine(proc).options, process: senseProcess(proc, startTicks), kernel: senseKernel(),
    };
  }

  /** Through the open inode: its content, also when the name is gone. Replaced: its name leads elsewhere now, or nowhere. */
  private async executable(proc: string): Promise<Snapshot['exe']> {
    const path = readlinkSync(`${proc}/exe`);
    const { sha256, dev, ino } = await this.hashes.hash(`${proc}/exe`);
    const isThere = [`${proc}/root${path}`, path].some((name) => {
      const found = statSync(name, { bigint: true, throwIfNoEntry: false });
      return found?.dev.toString() === dev && found.ino.toString() === ino;
    });
    return { path: path.slice(0, 4096), sha256, replaced: !isThere };
  }
}

const senses = new Senses();

/** A look with the eyes of this process. */
export const sense = (peer: Peer, agent: Agent): Promise<Snapshot> => senses.look(peer, agent);
export const senseTree = (peer: Peer, agent: Agent): Promise<Snapshot['tree']> => senses.tree(peer, agent);
