/** What this verifier knows of a device before it reads new evidence. */
import type { KnownDevice } from '../attest/types.js';
import type { Sha256 } from '../src/base/bytes.js';
import { DEVICE_RECORD } from '../src/objects/device.js';
import { open } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import type { DeviceRow } from './store/verbs.js';

/** `epoch`: the one that the evidence names. */
export async function knownDevice(v: Verifier, row: DeviceRow, epoch: Sha256): Promise<KnownDevice> {
  const [clock, head, latest] = await Promise.all([v.store.clock(row.akName), v.store.logHead(row.deviceId, epoch), v.store.latestHead(row.deviceId)]);
  return { record: open(DEVICE_RECORD, row.record, v.trust.keys), state: row.state, clock, head, latest };
}
