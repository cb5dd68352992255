/** What a device's measurement log says: the lives of its agents, as far as the device has proven it. */
import { readEntry } from '../attest/log.js';
import { parse } from '../src/base/shape.js';
import type { LogKind } from '../src/names.js';
import { type LogContent, logEntry } from '../src/objects/evidence.js';
import type { Verifier } from './context.js';
import type { LogPlace } from './store/verbs.js';

/** `resetCount`, `restartCount`: which boot its TPM said it was. */
export interface DeviceRecord { readonly epoch: string; readonly resetCount: number; readonly restartCount: number; readonly n: number; readonly kind: LogKind; readonly data: LogContent['data'] }

/** Since enrolment, newest first. Each record was under a register that the device's TPM certified when it was stored. */
export async function recordsOf(v: Verifier, deviceId: string, { before, limit }: { before: LogPlace | null; limit: number }): Promise<DeviceRecord[]> {
  const rows = await v.store.deviceLog({ deviceId, before, limit });
  return rows.map(({ entry, n, ...place }) => ({ ...place, n, ...readEntry(parse(logEntry, entry, 'log entry'), n) }));
}
