/** A measurement log as the prover keeps it, without a TPM. */
import { logEntry, readEntry } from '../../../attest/log.js';
import { canonical, type Json } from '../../../src/base/json.js';
import type { Fault } from '../../../src/base/fault.js';
import type { LogKind } from '../../../src/names.js';
import type { LogDelta, LogEntry } from '../../../src/objects/evidence.js';
import type { Prover } from '../../../daemon/tpm/types.js';

export interface Written { readonly kind: string; readonly data: Record<string, Json> }
const REGISTER = '01d10300';
const subject = (data: Record<string, Json>): string => canonical([data['agent_id'] ?? null, data['process'] ?? null]);

/** What the latest record of its subject says already is not repeated. While `trouble` is there, nothing is read and nothing written. */
export class MemoryLog implements Pick<Prover, 'append' | 'log'> {
  trouble: Fault | null = null;
  private entries: LogEntry[] = [];
  private latest = new Map<string, string>();

  constructor() {
    this.restart();
  }

  append(kind: LogKind, data: Record<string, Json>): Promise<void> {
    if (this.trouble) return Promise.reject(this.trouble);
    if (this.latest.get(subject(data)) === canonical([kind, data])) return Promise.resolve();
    this.latest.set(subject(data), canonical([kind, data]));
    this.entries.push(logEntry(this.entries.length, REGISTER, { kind, data }));
    return Promise.resolve();
  }

  log(from: number): LogDelta {
    if (this.trouble) throw this.trouble;
    return { epoch: '', from, entries: this.entries.slice(from) };
  }

  /** A new epoch, as after a reset of the TPM. */
  restart(): void {
    this.entries = [logEntry(0, REGISTER, { kind: 'boot_anchor', data: {} })];
    this.latest.clear();
  }

  /** What was written since the epoch began. */
  get records(): Written[] {
    return this.entries.slice(1).map((entry, n) => readEntry(entry, n + 1));
  }

  get kinds(): string[] {
    return this.records.map(({ kind }) => kind);
  }
}
