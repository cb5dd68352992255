/**
 * The measurement log and the register that vouches for it, kept equal. The log is written first: after a crash the register lacks the last records
 * and gets them. What no crash explains is replayed from the log and reported: the verifier's memory decides whether the history is the one it knows.
 */
import { ReadClock, type Tpm } from '@ari-sidecar/tpm2';
import { randomBytes } from 'node:crypto';
import { type Sha256, toB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { type Json, canonical } from '../../src/base/json.js';
import type { LogKind } from '../../src/names.js';
import type { LogContent, LogDelta, LogEntry } from '../../src/objects/evidence.js';
import { REGISTER_ZERO, bootAnchorContent, entryDigest, epochOf, extend, logEntry, readAnchor, readEntry } from '../../attest/log.js';
import type { LogFile } from './logfile.js';
import type { Register } from './register.js';
import type { Log } from './types.js';

/** (resetCount, restartCount): moves whenever the register may have been cleared. */
export interface Boot { resetCount: number; restartCount: number }

export async function readBoot(tpm: Tpm): Promise<Boot> {
  const { clockInfo: { resetCount, restartCount } } = (await tpm.run(ReadClock, {}, {})).currentTime;
  return { resetCount, restartCount };
}

export const sameBoot = (a: Boot, b: Boot): boolean => a.resetCount === b.resetCount && a.restartCount === b.restartCount;

/** What a latest record is compared by. */
const subject = (kind: string, data: LogContent['data']): string => canonical([kind, data['agent_id'] ?? null]);

/** One call at a time: the owner's business. */
export class Measurements {
  readonly #tpm: Tpm;
  readonly #file: LogFile;
  readonly #register: Register | null;
  readonly #nvIndex: string;
  readonly #log: Log;
  /** The latest data of each subject of this epoch, canonical. */
  readonly #latest = new Map<string, string>();
  #begun = false;

  /** `register` null: tier T1, the log is vouched for by nothing but its hash in the binding. `nvIndex`: the handle that records name. */
  constructor(tpm: Tpm, file: LogFile, register: Register | null, nvIndex: number, log: Log) {
    this.#tpm = tpm;
    this.#file = file;
    this.#register = register;
    this.#nvIndex = nvIndex.toString(16).padStart(8, '0');
    this.#log = log;
  }

  /**
   * Makes register and log equal, or finds that a new epoch must begin.
   * @returns true when the epoch of the log goes on
   */
  async settle(): Promise<boolean> {
    const { entries } = this.#file;
    this.#begun = entries.length > 0 && (await this.#goesOn(entries));
    this.#latest.clear();
    if (this.#begun) entries.forEach((entry, n) => this.#remember(entry, n));
    return this.#begun;
  }

  async #goesOn(entries: readonly LogEntry[]): Promise<boolean> {
    const value = this.#register && (await this.#register.read());
    if (value === null) {
      if (!sameBoot(readAnchor(entries[0]), await readBoot(this.#tpm))) return false;
      if (this.#register) await this.#replace(this.#register, entries, 'it was empty in the middle of its epoch');
      return true;
    }
    const known = prefixOf(entries, value);
    if (known === null) await this.#replace(this.#register!, entries, 'it held what the log does not explain');
    else await this.#extend(entries.slice(known));
    return true;
  }

  async #replace(register: Register, entries: readonly LogEntry[], what: string): Promise<void> {
    this.#log.warn({ code: 'nv.register_replaced', entries: entries.length }, `the measurement register was made anew from the log: ${what}`);
    await register.replace(entries.map(entryDigest));
  }

  async #extend(entries: readonly LogEntry[]): Promise<void> {
    await this.#register?.extend(entries.map(entryDigest));
  }

  /** The log of this boot is lost. A verifier that knows it takes no second one: the device is trusted again after its next boot. */
  async #abandon(register: Register): Promise<void> {
    this.#log.warn({ code: 'nv.register_replaced', entries: 0 }, 'the measurement log of this boot is lost: restart the machine if the verifier refuses the new one');
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
    this.#latest.clear();
    this.#begun = true;
  }

  /** A record that says what the latest of its subject says already is not repeated. @throws Fault link.stale */
  async append(kind: LogKind, data: Record<string, Json>): Promise<void> {
    const { n } = this.head();
    if (this.#latest.get(subject(kind, data)) === canonical(data)) return;
    const entry = logEntry(n, this.#nvIndex, { kind, data });
    await this.#file.append(entry);
    await this.#extend([entry]);
    this.#remember(entry, n);
  }

  #remember(entry: LogEntry, n: number): void {
    const { kind, data } = readEntry(entry, n);
    this.#latest.set(subject(kind, data), canonical(data));
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

  delta(from: number): LogDelta {
    return { epoch: this.head().epoch, from, entries: this.#file.entries.slice(from) };
  }
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
