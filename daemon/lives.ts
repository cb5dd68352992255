/**
 * The lives of agents as the measurement log tells them: start, drift, exit. A record is made when something is new, so the register is extended on
 * change only. What weighed against a process once weighs until it ends, for nobody knows what it did to the process: a clean agent is a restarted one.
 */
import { compareWithManifest } from '../attest/manifest.js';
import { readEntry } from '../attest/log.js';
import { measure, type Snapshot } from '../attest/measure.js';
import { weighs } from '../attest/verify/status.js';
import { asFault } from '../src/base/fault.js';
import type { AgentClaims } from '../src/objects/claims.js';
import type { Given, Launches } from './launch/launches.js';
import type { Agent, Peer } from './ports.js';
import { sense } from './sense/sense.js';
import type { Log, Prover } from './tpm/types.js';

interface Life { readonly earlier: Set<string>; readonly peer: Peer; readonly exit: { close(): void } }

/** A pid is given again, a pid and a start time are not (within a boot, and so within an epoch of the log). */
const processOf = ({ pid, startTicks }: Peer): string => `${pid}.${startTicks}`;

/** What the launcher gave is added to what the process's memory says: names are never fewer for it. */
const withGiven = (seen: Snapshot, { options, envNames }: Given): Snapshot => ({
  ...seen, options: [...options, ...seen.options], envNames: [...new Set([...envNames, ...seen.envNames])].sort(),
  hooks: envNames.includes('PYTHONNOUSERSITE') ? [] : seen.hooks,
});

export class Lives {
  private readonly prover: Pick<Prover, 'append' | 'log'>;
  private readonly launches: Launches;
  private readonly log: Log;
  private readonly lives = new Map<string, Life>();

  constructor(prover: Pick<Prover, 'append' | 'log'>, launches: Launches, log: Log) {
    this.prover = prover;
    this.launches = launches;
    this.log = log;
  }

  /** Measures and, if anything is new, writes it into the log before the register. @throws Fault peer.*, link.stale, tpm.* */
  async measure(peer: Peer, agent: Agent): Promise<AgentClaims> {
    const { earlier } = this.lives.get(processOf(peer)) ?? this.begin(peer, agent);
    const launch = this.launches.of(peer);
    const seen = await sense(peer, agent);
    const snapshot = launch === null ? seen : withGiven(seen, launch.given);
    const claims = measure(snapshot, { agentId: agent.id, manifestSha256: agent.manifest.sha256, manifest: agent.manifest.value, mode: launch === null ? 'attach' : 'launch', earlier: [...earlier] });
    for (const { code } of compareWithManifest(claims, agent.manifest.value).filter(weighs)) if (code !== 'agent.drifted') earlier.add(code);
    await this.record(peer, agent, claims, [...earlier].sort());
    return claims;
  }

  close(): void {
    for (const id of this.lives.keys()) this.forget(id);
  }

  private async record(peer: Peer, agent: Agent, { exe, tree, mode }: AgentClaims, codes: string[]): Promise<void> {
    const what = { agent_id: agent.id, process: processOf(peer), mode, manifest_sha256: agent.manifest.sha256, exe_sha256: exe.sha256, tree_sha256: tree.sha256 };
    await (codes.length === 0 ? this.prover.append('agent_start', what) : this.prover.append('agent_drift', { ...what, codes }));
  }

  private begin(peer: Peer, agent: Agent): Life {
    const id = processOf(peer);
    const own = peer.again();
    const life = { earlier: this.recorded(id), peer: own, exit: own.onExit(() => this.end(id, agent)) };
    this.lives.set(id, life);
    return life;
  }

  private end(id: string, agent: Agent): void {
    this.forget(id);
    this.prover.append('agent_exit', { agent_id: agent.id, process: id }).catch((error: unknown) => this.log.warn({ code: asFault(error).code, agent: agent.id }, 'the end of an agent is not in the log'));
  }

  private forget(id: string): void {
    const life = this.lives.get(id);
    this.lives.delete(id);
    life?.exit.close();
    life?.peer.close();
  }

  /** What the log holds against a process: a sidecar that was restarted does not forget it. */
  private recorded(id: string): Set<string> {
    const codes = new Set<string>();
    for (const [n, entry] of this.prover.log(0).entries.entries()) {
      const { kind, data } = readEntry(entry, n);
      if (kind === 'agent_drift' && data['process'] === id && Array.isArray(data['codes'])) for (const code of data['codes']) if (typeof code === 'string') codes.add(code);
    }
    return codes;
  }
}
