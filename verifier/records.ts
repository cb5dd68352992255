/** What a device's measurement log says: the lives of its agents, as far as the device has proven it. */
import { readEntry } from '../attest/log.js';
import { parse } from '../src/base/shape.js';
import type { LogKind } from '../src/names.js';
import { type LogContent, logEntry } from '../src/objects/evidence.js';
import type { Verifier } from './context.js';

/** Records of one answer: the latest. */
const MOST = 1_000;

export interface DeviceRecords { readonly epoch: string | null; readonly records: readonly { readonly n: number; readonly kind: LogKind; readonly data: LogContent['data'] }[] }

/** Of the present boot. Each record was under a register that the device's TPM certified when it was stored. */
export async function recordsOf(v: Verifier, deviceId: string): Promise<DeviceRecords> {
  const head = await v.store.latestHead(deviceId);
  if (head === null) return { epoch: null, records: [] };
  const rows = await v.store.logEntries(deviceId, head.epoch, Math.max(0, head.nextN - MOST), head.nextN);
  return { epoch: head.epoch, records: rows.map(({ n, entry }) => ({ n, ...readEntry(parse(logEntry, entry, 'log entry'), n) })) };
}
