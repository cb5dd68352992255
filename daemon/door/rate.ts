/** Requests to pay in the last minute, for each agent: a runaway agent must not keep the TPM from the others. */
import { fault } from '../../src/base/fault.js';

const MINUTE_MS = 60_000;

export class Rate {
  private readonly max: number;
  private readonly nowMs: () => number;
  private readonly taken = new Map<string, number[]>();

  constructor(max: number, nowMs: () => number) {
    this.max = max;
    this.nowMs = nowMs;
  }

  /** @throws Fault intake.rate */
  take(agentId: string): void {
    const now = this.nowMs();
    const recent = (this.taken.get(agentId) ?? []).filter((at) => now - at < MINUTE_MS);
    if (recent.length >= this.max) throw fault('intake.rate', { max: this.max });
    this.taken.set(agentId, [...recent, now]);
  }
}
