/**
 * The measurement log and the register that vouches for it, kept equal. The log is written first: after a crash the register lacks the last records
 * and gets them. What no crash explains is replayed from the log and reported: the verifier's memory decides whether the history is the one it knows.
 */
import { ReadClock, type Tpm } from '@ari-sidecar/tpm2';
import { randomBytes } from 'node:crypto';
import { type Sha256, toB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { type Json, canonical } from '../../src/base/json.js';
import { type Of, count, decode, encode, record } from '../../src/base/shape.js';
import type { LogKind } from '../../src/names.js';
import type { Attestation, LogContent, LogDelta, LogEntry } from '../../src/objects/evidence.js';
import { REGISTER_ZERO, bootAnchorContent, entryDigest, epochOf, extend, logEntry, readAnchor, readEntry } from '../../attest/log.js';
import type { LogFile } from './logfile.js';
import type { Register } from './register.js';
import type { Log } from './types.js';

/** (resetCount, restartCount): moves whenever the register may have been cleared. */
const bootShape = record({ resetCount: count, restartCount: count });
export type Boot = Of<typeof bootShape>;

export async function readBoot(tpm: Tpm): Promise<Boot> {
  const { clockInfo: { resetCount, restartCount } } = (await tpm.run(ReadClock, {}, {})).currentTime;
  return { resetCount, restartCount };
}

export const sameBoot = (a: Boot, b: Boot): boolean => a.resetCount === b.resetCount && a.restartCount === b.restartCount;

/** Whom a record is about: an agent's process, whatever happened to it, or what its kind names. The latest of each subject is what the log says now. */
const subject = (kind: string, data: LogContent['data']): string => canonical([kind.startsWith('agent_') ? 'agent' : kind, data['agent_id'] ?? null, data['process'] ?? null]);
const statement = (kind: string, data: LogContent['data']): string => canonical([kind, data]);

/** One call at a time: the owner's business. */
export class Measurements {
  readonly #tpm: Tpm;
  readonly #file: LogFile;
  readonly #register: Register | null;
  readonly #nvIndex: string;
  readonly #log: Log;
  /** The latest statement about each subject of this epoch, canonical. */
  readonly #latest = new Map<string, string>();
  #begun = false;
  /** What the register holds when it holds this log, lower-case hex. */
  #value = REGISTER_ZERO;

  /** `register` null: tier T1, the log is vouched for by nothing but its hash in the binding. `nvIndex`: the handle that records name. */
  constructor(tpm: Tpm, file: LogFile, register: Register | null, nvIndex: number, log: Log) {
    this.#tpm = tpm;
    this.#file = file;
    this.#register = register;
    this.#nvIndex = nvIndex.toString(16).padStart(8, '0');
    this.#log = log;
  }

  /**
   * Makes register and log equal, or finds that a new epoch must begin. A register that outlived a change of boot (the machine was suspended) is
   * followed by a `separator` that names the present boot: should a stranger empty it later, it is known to have been whole in this one.
   * @returns true when the epoch of the log goes on
   */
  async settle(): Promise<boolean> {
    const { entries } = this.#file;
    const boot = await readBoot(this.#tpm);
    this.#begun = entries.length > 0 && (await this.#goesOn(entries, boot));
    this.#forget();
    if (!this.#begun) return false;
    entries.forEach((entry, n) => this.#remember(entry, n));
    if (!sameBoot(lastBoot(entries), boot)) await this.append('separator', encode(bootShape, boot) as Record<string, Json>);
    return true;
  }

  async #goesOn(entries: readonly LogEntry[], boot: Boot): Promise<boolean> {
    const value = this.#register && (await this.#register.read());
    if (value === null) {
      if (!sameBoot(lastBoot(entries), boot)) return false;
      if (this.#register) await this.#replace(this.#register, entries, 'it was empty in the middle of its epoch');
      return true;
    }
    const known = prefixOf(entries, value);
    if (known === null) await this.#replace(this.#register!, entries, 'it held what the log does not explain');
    else await this.#extend(entries.slice(known));
    return true;
  }

  async #replace(register: Register, entries: readonly LogEntry[], what: string): Promise<void> {
    this.#log.warn({ event: 'register_replaced', entries: entries.length }, `the measurement register was made anew from the log: ${what}`);
    await register.replace(entries.map(entryDigest));
  }

  async #extend(entries: readonly LogEntry[]): Promise<void> {
    await this.#register?.extend(entries.map(entryDigest));
  }

  /** The log of this boot is lost. A verifier that knows it takes no second one: the device is trusted again after its next boot. */
  async #abandon(register: Register): Promise<void> {
    this.#log.warn({ event: 'register_replaced', entries: 0 }, 'the measurement log of this boot is lost: restart the machine if the verifier refuses the new one');
    await register.index.redefine();
  }

  /** The first record of a new epoch, over a nonce of the verifier. Nothing when the epoch goes on. */
  async begin(nonce: Sha256): Promise<void> {
    if (this.#begun) return;
    const anchor = { random: toB64u(randomBytes(16)), ...(await readBoot(this.#tpm)), nonce };
    const first = logEntry(0, this.#nvIndex, bootAnchorContent(anchor));
    if (this.#register && (await this.#register.index.isWritten()) !== false) await this.#abandon(this.#register);
    await this.#file.restart(first);
    await this.#extend([first]);
    this.#forget();
    this.#remember(first, 0);
    this.#begun = true;
  }

  /** A record that says what the latest of its subject says already is not repeated. @throws Fault link.stale */
  async append(kind: LogKind, data: Record<string, Json>): Promise<void> {
    const { n } = this.head();
    if (this.#latest.get(subject(kind, data)) === statement(kind, data)) return;
    const entry = logEntry(n, this.#nvIndex, { kind, data });
    await this.#file.append(entry);
    await this.#extend([entry]);
    this.#remember(entry, n);
  }

  #forget(): void {
    this.#latest.clear();
    this.#value = REGISTER_ZERO;
  }

  #remember(entry: LogEntry, n: number): void {
    this.#value = extend(this.#value, entryDigest(entry));
    const { kind, data } = readEntry(entry, n);
    this.#latest.set(subject(kind, data), statement(kind, data));
  }

  /** Name and length of the epoch's log. @throws Fault link.stale while none was begun: it takes a nonce of the verifier */
  head(): { epoch: Sha256; n: number } {
    const { entries } = this.#file;
    if (!this.#begun || !entries[0]) throw fault('link.stale');
    return { epoch: epochOf(entries[0]), n: entries.length };
  }

  describe(): string {
    return this.#begun ? `epoch ${this.head().epoch}, ${this.head().n} records` : 'waits for the verifier to begin the log of this boot';
  }

  /** The records from one on; none when there are not so many. */
  delta(from: number): LogDelta {
    const { epoch, n } = this.head();
    return { epoch, from: Math.min(from, n), entries: this.#file.entries.slice(from) };
  }

  /** The register, certified to hold this log; null without one. @throws Fault register.value */
  async certify(qualifyingData: Uint8Array): Promise<Attestation | null> {
    return this.#register && this.#register.certify(qualifyingData, this.#value);
  }
}

/** The boot in which the log was last seen whole: its anchor's, or its latest separator's. */
function lastBoot(entries: readonly LogEntry[]): Boot {
  for (let n = entries.length - 1; n > 0; n--) {
    const { kind, data } = readEntry(entries[n]!, n);
    if (kind === 'separator') return decode(bootShape, data, 'separator');
  }
  return readAnchor(entries[0]);
}

/** How many records replay to this value of the register; null when no number does. */
function prefixOf(entries: readonly LogEntry[], value: string): number | null {
  let register = REGISTER_ZERO;
  for (const [n, entry] of entries.entries()) {
    register = extend(register, entryDigest(entry));
    if (register === value) return n + 1;
  }
  return null;
}
