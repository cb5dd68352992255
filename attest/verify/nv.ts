/** Certified NV contents: the measurement register and the counter. The whole index, from its start, under its enrolled Name. */
import { type AttestOf, nvNameOf, policySecretDigest, registerPublic, written } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { LogEntry } from '../../src/objects/evidence.js';

type Certified = AttestOf<'nv'>['attested'];

const nameOf = ({ indexName }: Certified): string => indexName.toString('hex');
const isWhole = ({ offset, nvContents }: Certified, size: number): boolean => offset === 0 && nvContents.length === size;

/**
 * @param value what the log replays to, lower-case hex
 * @throws Fault register.name, register.range, register.value
 */
export function assertRegister(certified: Certified, name: string | null, value: string): void {
  if (nameOf(certified) !== name) throw fault('register.name');
  if (!isWhole(certified, 32)) throw fault('register.range');
  if (certified.nvContents.toString('hex') !== value) throw fault('register.value');
}

/**
 * The counter's value. Only "greater" means something: gaps are no error, and a new index starts where a deleted one ended.
 * @throws Fault ctr.name, register.range, ctr.not_increased
 */
export function readCounter(certified: Certified, name: string | null, last: bigint | null): bigint {
  if (nameOf(certified) !== name) throw fault('ctr.name');
  if (!isWhole(certified, 8)) throw fault('register.range');
  const seen = certified.nvContents.readBigUInt64BE();
  if (last !== null && seen <= last) throw fault('ctr.not_increased', { seen, last });
  return seen;
}

/**
 * A record's `nv_index` is outside its digest: it must be the handle inside the enrolled register's Name. At tier T1 there is no register to name.
 * @throws Fault log.entry
 */
export function assertLogIndex(entries: readonly LogEntry[], { registerName, akName }: DeviceRecord): void {
  const [first] = entries;
  if (first === undefined || registerName === null) return;
  const policy = policySecretDigest(Buffer.from(akName, 'hex'));
  const names = [true, false].map((orderly) => nvNameOf(written(registerPublic(Number.parseInt(first.nvIndex, 16), policy, { orderly }))).toString('hex'));
  const foreign = names.includes(registerName) ? entries.find(({ nvIndex }) => nvIndex !== first.nvIndex) : first;
  if (foreign !== undefined) throw fault('log.entry', { n: foreign.recnum, what: 'it is of another index than the enrolled register' });
}
