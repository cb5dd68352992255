/** The records of a device's measurement log in words. What stands in them was written by the device: it is shown without control characters. */
import type { Json } from '../src/base/json.js';
import { paint, plain, table } from './output.js';

export interface DeviceRecord { readonly epoch: string; readonly reset_count: number; readonly restart_count: number; readonly n: number; readonly kind: string; readonly data: Readonly<Record<string, Json>> }

const all = (value: Json | undefined): string => (Array.isArray(value) ? value.map(plain).join(', ') : '');
/** By the device's own clock. */
const when = ({ at_ms: at }: DeviceRecord['data']): string => (typeof at === 'number' && at >= 0 && at <= 8.64e15 ? new Date(at).toISOString().slice(0, 19).replace('T', ' ') : '');

function sentence({ kind, data }: DeviceRecord): string {
  const files = all(data['files']);
  switch (kind) {
    case 'boot_anchor': return 'the log of this boot begins';
    case 'separator': return 'the machine went on after a pause';
    case 'agent_start': return `${plain(data['agent_id'])} ${data['mode'] === 'launch' ? 'was launched, measured before its first instruction' : 'connected, and is what its publisher made it'}`;
    case 'agent_drift': return paint('red', `${plain(data['agent_id'])} is not what its publisher made it: ${all(data['codes'])}${files === '' ? '' : `; ${files}`}`);
    case 'agent_exit': return `${plain(data['agent_id'])} ${data['unseen'] === true ? 'had ended when the sidecar was back' : 'ended'}`;
    default: return plain(kind);
  }
}

/** Where a record stands: what is asked for next is before it. */
export const placeOf = (record: DeviceRecord | undefined): string => (record ? `${record.epoch}.${record.n}` : '');

/** One line for each, oldest first: when, which process, what happened; with a line before those of each boot. */
export const inWords = (records: readonly DeviceRecord[]): string =>
  table(records.flatMap((one, at): [string, string][] => [...(records[at - 1]?.epoch === one.epoch ? [] : [bootOf(one)]), lineOf(one)]));

const bootOf = ({ epoch, reset_count: resets, restart_count: restarts }: DeviceRecord): [string, string] => [`boot ${plain(epoch).slice(0, 8)}`, `TPM reset ${plain(resets)}, restart ${plain(restarts)}`];
const lineOf = (one: DeviceRecord): [string, string] => [when(one.data), `${(one.data['process'] === undefined ? '' : `process ${plain(one.data['process']).split('.')[0]}`).padEnd(16)} ${sentence(one)}`];
