/**
 * The lives of agents as the measurement log tells them: start, drift, exit. A record is made when something is new, so the register is extended on
 * change only. What weighed against a process once weighs until it ends, for nobody knows what it did to the process: a clean agent is a restarted one.
 *
 * The log is away while there is no TPM, or no epoch yet (it takes a nonce of the verifier). Nobody pays then, for a payment measures and records first;
 * what began and ended meanwhile is owed, and written by {@link Lives.settle}. A sidecar that starts anew takes the lives over that the log left open,
 * and records the end of those that ended while it was not there.
 */
import { compareWithManifest } from '../attest/manifest.js';
import { measure, type Snapshot } from '../attest/measure.js';
import { weighs } from '../attest/verify/status.js';
import { asFault } from '../src/base/fault.js';
import { canonical } from '../src/base/json.js';
import type { AgentClaims } from '../src/objects/claims.js';
import { awaitExit } from './door/exit.js';
import type { Given, Launches } from './launch/launches.js';
import { type Said, openLives } from './openlives.js';
import type { Agent, Measured, Peer } from './ports.js';
import { sense } from './sense/sense.js';
import { inTurn } from './tpm/turns.js';
import type { Log, Prover } from './tpm/types.js';

interface Life {
  readonly process: string;
  readonly agentId: string;
  /** What weighed against it, whether it still can be seen or not. */
  readonly earlier: Set<string>;
  /** The latest that was found, whether the log has it yet or not. */
  said: Said | null;
  /** When it ended, ms; null while it lives. `unseen`: found out later. */
  end: { readonly atMs: number; readonly unseen: boolean } | null;
  watch: { close(): void };
}

/** A pid is given again, a pid and a start time are not (within a boot, and so within an epoch of the log). */
const processOf = ({ pid, startTicks }: Peer): string => `${pid}.${startTicks}`;
/** Of a process that has ended. */
const NO_WATCH = { close: (): void => undefined };
/** So many files are named in one record; the claims of the payment have them all. */
const NAMED = 8;

/** What the launcher gave is added to what the process's memory says: names are never fewer for it. */
const withGiven = (seen: Snapshot, { options, envNames }: Given): Snapshot => ({
  ...seen, options: [...options, ...seen.options], envNames: [...new Set([...envNames, ...seen.envNames])].sort(),
  hooks: seen.hooks.filter((path) => !(path.includes('/site-packages/') && envNames.includes('PYTHONNOUSERSITE'))),
});

/** The log takes no records now, and will. */
const isAway = (error: unknown): boolean => asFault(error).code === 'link.stale' || asFault(error).code.startsWith('tpm.');

export class Lives {
  private readonly prover: Pick<Prover, 'append' | 'log'>;
  private readonly launches: Launches;
  private readonly log: Log;
  private readonly lives = new Map<string, Life>();
  private readonly turn = inTurn();
  private recalled = false;

  constructor(prover: Pick<Prover, 'append' | 'log'>, launches: Launches, log: Log) {
    this.prover = prover;
    this.launches = launches;
    this.log = log;
  }

  /** Measures and, if anything is new, writes it into the log before the register. @throws Fault peer.*, link.stale, tpm.* */
  async measure(peer: Peer, agent: Agent): Promise<AgentClaims> {
    this.recall();
    const life = this.lifeOf(peer, agent);
    const launch = this.launches.of(peer);
    const seen = await sense(peer, agent);
    const snapshot = launch === null ? seen : withGiven(seen, launch.given);
    const claims = measure(snapshot, { agentId: agent.id, manifestSha256: agent.manifest.sha256, manifest: agent.manifest.value, mode: launch === null ? 'attach' : 'launch', earlier: [...life.earlier] });
    for (const { code } of compareWithManifest(claims, agent.manifest.value).filter(weighs)) if (code !== 'agent.drifted') life.earlier.add(code);
    await this.say(life, agent, { mode: claims.mode, exeSha256: claims.exe.sha256, treeSha256: claims.tree.sha256 }, claims.tree);
    return claims;
  }

  /** An agent is here for the first time: its life begins in the log, before it is told anything. Without the log it begins when that is back. @throws Fault peer.* */
  async met(peer: Peer, agent: Agent): Promise<void> {
    if (this.lives.has(processOf(peer))) return;
    try {
      await this.measure(peer, agent);
    } catch (error) {
      this.owe(error, agent.id);
    }
  }

  /** A process becomes this agent with its next exec, which waits for this: the record is made before the agent's first instruction, or is owed. */
  async launched(peer: Peer, agent: Agent, measured: Measured): Promise<void> {
    await this.say(this.lifeOf(peer, agent), agent, { mode: 'launch', ...measured }).catch((error: unknown) => this.owe(error, agent.id));
  }

  /** Writes what the log does not have: after a start of the sidecar, and whenever log and verifier are there again. A record that it has is not repeated. */
  async settle(): Promise<void> {
    try {
      this.recall();
      for (const life of this.lives.values()) await this.turn(() => this.write(life));
    } catch (error) {
      if (!isAway(error) || this.lives.size > 0) this.owe(error, null);
    }
  }

  close(): void {
    for (const { watch } of this.lives.values()) watch.close();
    this.lives.clear();
  }

  private owe(error: unknown, agentId: string | null): void {
    if (!isAway(error)) throw error;
    this.log.warn({ code: asFault(error).code, agent: agentId }, 'the measurement log takes no records now: what happens to agents is written when it does');
  }

  private async say(life: Life, { id, manifest }: Agent, { mode, exeSha256, treeSha256 }: Measured & Pick<AgentClaims, 'mode'>, tree?: AgentClaims['tree']): Promise<void> {
    const codes = [...life.earlier].sort();
    const what = { agent_id: id, process: life.process, mode, manifest_sha256: manifest.sha256, exe_sha256: exeSha256, tree_sha256: treeSha256 };
    const files = [...(tree?.drift ?? []).map(({ path, kind }) => `${path} (${kind})`), ...(tree?.changedSinceStart ?? []).map((path) => `${path} (changed while it ran)`)].slice(0, NAMED);
    const now = codes.length === 0 ? { kind: 'agent_start' as const, data: what } : { kind: 'agent_drift' as const, data: { ...what, codes, files } };
    if (life.said === null || life.said.kind !== now.kind || canonical(life.said.data) !== canonical(now.data)) {
      life.said = { ...now, atMs: Date.now() };
      if (codes.length === 0) this.log.info({ agent: id, process: life.process, mode }, 'an agent starts');
      else this.log.warn({ agent: id, process: life.process, codes, files }, 'an agent is not what its publisher made it');
    }
    await this.turn(() => this.write(life));
  }

  /** In turn: nothing is written of a process after its end. */
  private async write(life: Life): Promise<void> {
    const { said, end, agentId, process } = life;
    if (said === null || !this.lives.has(process)) return;
    await this.prover.append(said.kind, { ...said.data, at_ms: said.atMs });
    if (end === null) return;
    await this.prover.append('agent_exit', { agent_id: agentId, process, at_ms: end.atMs, ...(end.unseen ? { unseen: true } : {}) });
    this.lives.delete(process);
  }

  private lifeOf(peer: Peer, agent: Agent): Life {
    const process = processOf(peer);
    const known = this.lives.get(process);
    if (known) return known;
    const own = peer.again();
    const exit = own.onExit(() => this.ended(life));
    const life: Life = { process, agentId: agent.id, earlier: new Set(), said: null, end: null, watch: { close: () => { exit.close(); own.close(); } } };
    this.lives.set(process, life);
    return life;
  }

  private ended(life: Life): void {
    life.watch.close();
    life.watch = NO_WATCH;
    life.end = { atMs: Date.now(), unseen: false };
    this.log.info({ agent: life.agentId, process: life.process }, 'an agent has ended');
    if (life.said === null) this.lives.delete(life.process);
    else this.turn(() => this.write(life)).catch((error: unknown) => this.owe(error, life.agentId));
  }

  /** Once: the lives that a predecessor left open. A sidecar that was restarted forgets nothing. @throws Fault link.stale, tpm.* */
  private recall(): void {
    if (this.recalled) return;
    for (const { process, agentId, codes, said } of openLives(this.prover.log(0).entries)) {
      if (this.lives.has(process)) continue;
      const life: Life = { process, agentId, earlier: new Set(codes), said, end: null, watch: NO_WATCH };
      const [pid = '', startTicks = ''] = process.split('.');
      const watch = awaitExit(Number(pid), startTicks, () => this.ended(life));
      if (watch === null) life.end = { atMs: Date.now(), unseen: true };
      else life.watch = watch;
      this.lives.set(process, life);
    }
    this.recalled = true;
  }
}
