/** What the measurement log says of processes that it does not say have ended. */
import { readEntry } from '../attest/log.js';
import type { Json } from '../src/base/json.js';
import type { LogEntry } from '../src/objects/evidence.js';

/** The latest record about a process, and when it was first so, ms. */
export interface Said { readonly kind: 'agent_start' | 'agent_drift'; readonly data: Readonly<Record<string, Json>>; readonly atMs: number }
/** `codes`: all that ever weighed against it. */
export interface OpenLife { readonly process: string; readonly agentId: string; readonly codes: ReadonlySet<string>; readonly said: Said }

const texts = (value: Json | undefined): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);

/** @throws Fault log.* for a log that is none */
export function openLives(entries: readonly LogEntry[]): OpenLife[] {
  const open = new Map<string, OpenLife>();
  for (const [n, entry] of entries.entries()) {
    const { kind, data: { at_ms: atMs, ...data } } = readEntry(entry, n);
    const { process, agent_id: agentId } = data;
    if (typeof process !== 'string' || typeof agentId !== 'string') continue;
    if (kind === 'agent_exit') open.delete(process);
    if (kind !== 'agent_start' && kind !== 'agent_drift') continue;
    const codes = new Set([...(open.get(process)?.codes ?? []), ...texts(data['codes'])]);
    open.set(process, { process, agentId, codes, said: { kind, data, atMs: typeof atMs === 'number' ? atMs : 0 } });
  }
  return [...open.values()];
}
