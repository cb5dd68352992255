/** What a stranger's bytes may cost: logs, lists, quotes and certificates of 1 MB and 16 MB, and an honest machine's logs in a whole appraisal. */
import type { PlatformInput } from '../../attest/types.js';
import { type Policy } from '../../src/objects/decision.js';
import { extensionOf, parseIma } from '../../attest/ima/index.js';
import { appraisePlatform } from '../../attest/verify/index.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { type MadeEntry, type MadeEvent, GOOD_BOOT, agileEvent, agileLog, binaryList, hashOf, kernelReference, specId } from '../attest/support/logs.js';
import { PARSERS, outcomeOf } from '../fuzz/parsers.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { interleave, median, ratioOf, row, timed, type Row } from './harness.js';

const MB = 1_000_000;
const filled = (size: number, piece: Uint8Array): Buffer => Buffer.alloc(size, piece);

/** By what they are for: the parser that is given them, and how they are made at a size. */
const HOSTILE: readonly [what: string, parser: string, make: (size: number) => Buffer][] = [
  ['boot log of small events', 'boot state', (size) => Buffer.concat([specId(['sha256']), filled(size, agileEvent({ pcr: 0, type: 8, data: Buffer.alloc(16, 1) }, ['sha256']))])],
  ['boot log of one event', 'boot state', (size) => Buffer.concat([specId(['sha256']), agileEvent({ pcr: 7, type: 0x80000001, data: Buffer.alloc(size, 1) }, ['sha256'])])],
  ['IMA list in bytes', 'IMA policy', (size) => filled(size, binaryList([{ path: '/usr/bin/node', digest: 'aa'.repeat(32) }]))],
  ['quote', 'quote', (size) => filled(size, Buffer.from('ff544347', 'hex'))],
  ['certificate', 'certificate', (size) => Buffer.concat([Buffer.from('3084', 'hex'), Buffer.from(size.toString(16).padStart(8, '0'), 'hex'), filled(size, Buffer.from('3080', 'hex'))])],
  ['evidence', 'evidence', (size) => filled(size, Buffer.from('[{"a":'))],
];

async function hostile(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, name, make] of HOSTILE) {
    const parser = PARSERS.find((each) => each.name === name)!;
    const [small, large] = [make(MB), make(16 * MB)];
    const samples: { small: number[]; large: number[] } = { small: [], large: [] };
    for (let round = 0; round < 3; round++) for (const [size, bytes] of [['small', small], ['large', large]] as const) samples[size].push(await timed(() => outcomeOf(parser, bytes)));
    rows.push(row(`${what}, 16 MB`, median(samples.large), 'ms', { beside: { what: 'of 1 MB', value: median(samples.small) }, ratio: ratioOf(samples.large, samples.small) }));
  }
  return rows;
}

const EVENTS: readonly MadeEvent[] = [...GOOD_BOOT, ...Array.from({ length: 99 - GOOD_BOOT.length }, (_, i) => ({ pcr: 8, type: 13, data: Buffer.from(`grub_cmd: insmod part_gpt ${i}`) }))];
const FILES: readonly MadeEntry[] = Array.from({ length: 2000 }, (_, i) => ({ path: `/usr/lib/x86_64-linux-gnu/lib${i}.so.6`, digest: hashOf('sha256', Buffer.from(`${i}`)).toString('hex') }));

/** A connection with a boot log of 100 events and 2,000 files, each of which is in the policy; and the same without the logs. */
async function honest(): Promise<Row[]> {
  const device = await TestDevice.start({ measures: EVENTS.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
  const list = binaryList(FILES);
  for (const entry of parseIma('ima-binary', list)) await device.extendPcr(10, extensionOf(entry, 'sha256', 'own'));
  const pcrs = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10];
  const evidence = await device.platform({ nonce: sha256('logs'), pcrs, logs: { boot: { format: 'tcg2-binary', data: toB64u(agileLog(EVENTS)) }, ima: { format: 'ima-binary', from: 0, data: toB64u(list) } } });
  await device.stop();
  const ima = { files: FILES.map(({ path, digest }) => ({ path, digests: [`sha256:${digest}`] })), signers: [], closed: true, maxViolations: 0, sidecar: [FILES[0]!.path] };
  const open: Policy = { ...TEST_POLICY, pcrs };
  const asked = (policy: Policy, logs: boolean): PlatformInput =>
    ({ evidence: logs ? evidence : { ...evidence, boot: null, ima: null }, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy, connection: true });
  const [whole, bare] = [asked({ ...open, requireBootLog: true, requireIma: true, bootReference: kernelReference(EVENTS), ima }, true), asked(open, false)];
  const { tier, findings } = appraisePlatform(whole).appraisal;
  if (tier !== 'T3') throw new Error(`tier ${tier}: ${findings[0]?.message}`);
  const samples = await interleave({ whole: () => appraisePlatform(whole), bare: () => appraisePlatform(bare) }, { rounds: 12, calls: 4 });
  return [row('connection appraised with 100 events and 2,000 IMA entries', median(samples.whole), 'ms', { beside: { what: 'without the logs', value: median(samples.bare) }, ratio: ratioOf(samples.whole, samples.bare), headline: true })];
}

export const run = async (): Promise<Row[]> => [...await honest(), ...await hostile()];
