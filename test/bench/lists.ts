/** What an IMA list costs that has grown for long: a refresh with ten new entries, beside the whole list judged again. */
import { imaBeginning, imaStandingAt, extensionOf, parseIma, reach, takeEntries } from '../../attest/ima/index.js';
import type { PlatformInput } from '../../attest/types.js';
import { appraisePlatform } from '../../attest/verify/index.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Policy } from '../../src/objects/decision.js';
import { type MadeEntry, binaryList, hashOf } from '../attest/support/logs.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { interleave, median, ratioOf, row, type Row } from './harness.js';

const KNOWN = [1_000, 10_000, 100_000];
const NEW = 10;
const PCRS = [0, 4, 7, 10];
const entriesOf = (from: number, count: number): MadeEntry[] => Array.from({ length: count }, (_, i) => ({ path: `/usr/lib/x86_64-linux-gnu/lib${from + i}.so.6`, digest: hashOf('sha256', Buffer.from(`${from + i}`)).toString('hex') }));
const RULES = { files: entriesOf(0, 2_000).map(({ path, digest }) => ({ path, digests: [`sha256:${digest}`] })), signers: [], closed: false, maxViolations: 0, sidecar: [entriesOf(0, 1)[0]!.path] };
const POLICY: Policy = { ...TEST_POLICY, pcrs: PCRS, requireIma: true, ima: RULES };

async function refreshOf(device: TestDevice, known: number, measured: number): Promise<{ refresh: () => void; whole: () => void }> {
  const list = binaryList(entriesOf(0, known + NEW));
  const entries = parseIma('ima-binary', list);
  for (const entry of entries.slice(measured)) await device.extendPcr(10, extensionOf(entry, 'sha256', 'own'));
  const standing = takeEntries(imaBeginning('sha256', RULES), entries.slice(0, known), RULES);
  const nonce = sha256(`list ${known}`);
  const evidence = await device.platform({ nonce, pcrs: PCRS, logs: { ima: { format: 'ima-binary', from: known, data: toB64u(binaryList(entriesOf(known, NEW))) } } });
  const input: PlatformInput = { evidence, log: device.delta(), nonce, aud: VERIFIER, device: device.known(), policy: POLICY, connection: false, ima: standing };
  const quoted = Buffer.from(evidence.quote.pcrs['10']!, 'hex');
  return {
    refresh: () => { if (appraisePlatform(input).ima?.n !== known + NEW) throw new Error('the list did not go on'); },
    whole: () => { if (reach(imaStandingAt(null, 0, 'sha256', RULES), parseIma('ima-binary', list), quoted, RULES)?.n !== known + NEW) throw new Error('the list does not hold'); },
  };
}

export async function lists(): Promise<Row[]> {
  const device = await TestDevice.start();
  const rows: Row[] = [];
  let measured = 0;
  for (const known of KNOWN) {
    const works = await refreshOf(device, known, measured);
    measured = known + NEW;
    const samples = await interleave({ ...works }, { rounds: 5, calls: 1 });
    rows.push(row(`a refresh with ${NEW} new IMA entries on ${known.toLocaleString('en')} known`, median(samples['refresh']!), 'ms', { beside: { what: 'the whole list judged again', value: median(samples['whole']!) }, ratio: ratioOf(samples['refresh']!, samples['whole']!) }));
  }
  await device.stop();
  return rows;
}
