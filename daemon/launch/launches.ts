/**
 * Agents that were measured before their first instruction.
 *
 * A *starter* (a process of `ari run`) connects and waits; `ari run` says which agent it will become; the agent's files are measured; then the starter
 * execs the agent through the descriptor of the executable that was hashed. From that exec on the process is known, on that connection and on others.
 *
 * Who may say so is root or the sidecar's own user: both could subvert the sidecar itself, so their word adds no one to those who are trusted. A
 * process of the agent's user cannot: it has no `launch` to claim, and a starter that changed its user is not dumpable, so it cannot be traced by it
 * before the exec. What is known in this mode and not in attach mode: command line and environment are what the launcher gave, not what the
 * process's memory says. What is not: that nothing came into the process afterwards; that is looked at for each payment as in attach mode.
 */
import { executables } from '../../attest/manifest.js';
import type { Snapshot } from '../../attest/measure.js';
import type { LaunchRequest } from '../../src/agentapi.js';
import type { Sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { Agent, Measured, Peer } from '../ports.js';
import { fileHashes } from '../sense/hash.js';
import { senseTree } from '../sense/sense.js';

/** What the launcher gave to the process. */
export type Given = Pick<Snapshot, 'envNames' | 'options'>;
interface Launch { readonly agent: Agent; readonly given: Given; readonly peer: Peer; readonly exit: { close(): void } }

export class Launches {
  private readonly byPid = new Map<number, Launch>();

  /**
   * Measures the agent that a waiting starter will become. After it the starter may exec, once.
   * @throws Fault agent.version_not_authorised, agent.exe_unknown: it is not what its manifest says, and is not started
   */
  async begin(agent: Agent, starter: Peer, { options, envNames }: LaunchRequest): Promise<Measured> {
    if (agent.uid !== null && agent.uid !== starter.uid) throw fault('peer.unknown', { pid: starter.pid, uid: starter.uid });
    const { drift, sha256: treeSha256 } = await senseTree(starter, agent);
    if (drift.length > 0) throw fault('agent.version_not_authorised', { what: drift.slice(0, 3).map(({ path, kind }) => `${path} (${kind})`).join(', ') });
    const exeSha256 = await measureExecutable(agent, starter);
    this.end(starter.pid);
    const peer = starter.again();
    for (const one of [starter, peer]) one.expectExec();
    this.byPid.set(peer.pid, { agent, given: { options, envNames }, peer, exit: peer.onExit(() => this.end(peer.pid)) });
    return { exeSha256, treeSha256 };
  }

  /** The launch that made this process what it is; null for one that was not launched, or is no longer the program that was. */
  of(peer: Peer): Launch | null {
    const launch = this.byPid.get(peer.pid);
    if (launch === undefined) return null;
    try {
      launch.peer.stillThere();
    } catch {
      return null;
    }
    return launch.peer.isSame(peer) ? launch : null;
  }

  close(): void {
    for (const pid of this.byPid.keys()) this.end(pid);
  }

  private end(pid: number): void {
    const launch = this.byPid.get(pid);
    this.byPid.delete(pid);
    launch?.exit.close();
    launch?.peer.close();
  }
}

/** The interpreter that the launcher will take is one of the manifest. What then runs is measured at each payment, through its open inode. */
async function measureExecutable({ manifest: { value }, root }: Agent, { proc }: Peer): Promise<Sha256> {
  const path = executableOf(value, root);
  const { sha256 } = await fileHashes.hash(`${proc}/root${path}`);
  if (!executables(value).has(sha256)) throw fault('agent.exe_unknown', { path });
  return sha256;
}

/** Path of the program that runs an agent: its entry, or its first interpreter. */
export const executableOf = ({ launch, interpreters }: Agent['manifest']['value'], root: string): string =>
  (launch.runtime === 'native' ? `${root}/${launch.entry}` : interpreters[0]?.path ?? '');
