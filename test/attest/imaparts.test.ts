import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Policy } from '../../src/objects/decision.js';
import { IMA_LIST_BYTES, type PlatformEvidence } from '../../src/objects/evidence.js';
import { type ImaStanding, decodeImaStanding, encodeImaStanding, extensionOf, imaBeginning, imaVerdict, judgeIma, parseIma, parsePiece, reach, takeEntries } from '../../attest/ima/index.js';
import type { PlatformResult } from '../../attest/types.js';
import { appraisePlatform } from '../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { codeOf } from '../support/fault.js';
import { KERNEL_BOOT, type MadeEntry, agileLog, binaryList, hashOf, kernelReference, pcr10Of } from './support/logs.js';

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10];
const SIDECAR = '/opt/ari/main.js';
const GOOD = 'bb'.repeat(32);
const BOOT: readonly MadeEntry[] = [{ path: 'boot_aggregate' }, { path: '/usr/bin/node', digest: 'aa'.repeat(32) }, { path: SIDECAR, digest: GOOD }];
const LATER: readonly MadeEntry[] = [{ path: '/usr/bin/git', digest: 'cc'.repeat(32) }, { path: '/usr/bin/vi', digest: 'dd'.repeat(32) }];
const AHEAD: MadeEntry = { path: '/usr/bin/after-the-quote', digest: 'ee'.repeat(32) };
const listed = [...BOOT.slice(1), ...LATER].map(({ path, digest }) => ({ path, digests: [`sha256:${digest}`] }));
const RULES = { files: listed, signers: [], closed: true, maxViolations: 0, sidecar: [SIDECAR] };
const POLICY: Policy = { ...TEST_POLICY, pcrs: PCRS, requireBootLog: true, requireIma: true, bootReference: kernelReference(), ima: RULES };

const part = (entries: readonly MadeEntry[], from: number): NonNullable<PlatformEvidence['ima']> => ({ format: 'ima-binary', from, data: toB64u(binaryList(entries)) });
const startMachine = (): Promise<TestDevice> => TestDevice.start({ measures: KERNEL_BOOT.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
const measures = async (machine: TestDevice, entries: readonly MadeEntry[]): Promise<void> => {
  for (const entry of parseIma('ima-binary', binaryList(entries))) await machine.extendPcr(10, extensionOf(entry, 'sha256', 'own'));
};

let nonces = 0;
async function show(machine: TestDevice, ima: PlatformEvidence['ima'], known: ImaStanding | null, policy: Policy = POLICY): Promise<PlatformResult> {
  const nonce = sha256(`part ${++nonces}`);
  const evidence = await machine.platform({ nonce, pcrs: PCRS, logs: { boot: { format: 'tcg2-binary', data: toB64u(agileLog(KERNEL_BOOT)) }, ima } });
  return appraisePlatform({ evidence, log: machine.delta(), nonce, aud: VERIFIER, device: machine.known(), policy, connection: true, ima: known });
}
const said = ({ appraisal: { tier, findings }, ima }: PlatformResult) => ({ tier, codes: findings.map(({ code }) => code), n: ima?.n ?? null });
const REFUSED = { tier: 'T2', codes: ['ima.gap'], n: null };

let device: TestDevice;
let first: ImaStanding;
beforeAll(async () => {
  device = await startMachine();
  await measures(device, BOOT);
  first = (await show(device, part([...BOOT, AHEAD], 0), null)).ima!;
  await measures(device, LATER);
});
afterAll(() => device.stop());

describe('an IMA list that is shown in parts', () => {
  it('is known as far as the quote covers it, and no further', () => {
    expect(first).toMatchObject({ n: BOOT.length, bytes: binaryList(BOOT).length });
  });

  it('goes on from what is known: the sidecar that was measured in an earlier part is still measured', async () => {
    const shown = await show(device, part([...LATER, AHEAD], BOOT.length), first);
    expect(said(shown)).toEqual({ tier: 'T3', codes: [], n: 5 });
    expect(said(await show(device, part([AHEAD], 5), shown.ima))).toEqual({ tier: 'T3', codes: [], n: 5 });
    expect(said(await show(device, part([], 5), shown.ima))).toEqual({ tier: 'T3', codes: [], n: 5 });
  });

  it('goes on from what a store kept', async () => {
    expect(said(await show(device, part(LATER, 3), decodeImaStanding(encodeImaStanding(first))))).toEqual({ tier: 'T3', codes: [], n: 5 });
  });

  it('may be shown whole again at any time', async () => {
    expect(said(await show(device, part([...BOOT, ...LATER], 0), null))).toEqual({ tier: 'T3', codes: [], n: 5 });
  });

  it('what was found once is found with every later part', async () => {
    const rules = { ...POLICY, ima: { ...RULES, files: listed.filter(({ path }) => path !== '/usr/bin/git') } };
    const { ima } = await show(device, part([...BOOT, ...LATER], 0), null, rules);
    expect(said(await show(device, part([], 5), ima, rules))).toMatchObject({ codes: ['ima.policy'], n: 5 });
  });
});

describe('a part is no evidence, and nothing is known after it', () => {
  it.each<[string, () => { ima: PlatformEvidence['ima']; known: ImaStanding | null; policy?: Policy }]>([
    ['when nothing is known before it', () => ({ ima: part(LATER, 3), known: null })],
    ['when it begins after an entry that was skipped', () => ({ ima: part(LATER.slice(1), 4), known: first })],
    ['when an entry is skipped and not counted', () => ({ ima: part(LATER.slice(1), 3), known: first })],
    ['when its entries are in another order', () => ({ ima: part(LATER.toReversed(), 3), known: first })],
    ['when it is shown twice', () => ({ ima: part([...LATER, ...LATER], 3), known: takeEntries(first, parseIma('ima-binary', binaryList(LATER), 3), RULES) })],
    ['when it ends before the quote', () => ({ ima: part(LATER.slice(0, 1), 3), known: first })],
    ['when it cannot be read', () => ({ ima: { format: 'ima-binary', from: 3, data: toB64u(Buffer.alloc(40, 0xff)) }, known: first })],
    ['when the entries before it were judged by other rules', () => ({ ima: part(LATER, 3), known: first, policy: { ...POLICY, ima: { ...RULES, closed: false } } })],
    ['when the entries before it were replayed in another bank', () => ({ ima: part(LATER, 3), known: { ...imaBeginning('sha384', RULES), n: 3 } })],
  ])('%s', async (_, make) => {
    const { ima, known, policy } = make();
    expect(said(await show(device, ima, known, policy))).toEqual(REFUSED);
  });

  it('when it is of another device that measured other files before', async () => {
    const other = takeEntries(imaBeginning('sha256', RULES), parseIma('ima-binary', binaryList([...BOOT.slice(0, 2), AHEAD])), RULES);
    expect(said(await show(device, part(LATER, 3), other))).toEqual(REFUSED);
  });
});

describe('the life of a list', () => {
  let machine: TestDevice;
  let known: ImaStanding;
  beforeAll(async () => {
    machine = await startMachine();
    await measures(machine, BOOT);
    known = (await show(machine, part(BOOT, 0), null)).ima!;
  });
  afterAll(() => machine.stop());

  it('goes on through a suspend, for PCR 10 does', async () => {
    await machine.reboot('resume');
    await measures(machine, LATER.slice(0, 1));
    expect(said(await show(machine, part(LATER.slice(0, 1), 3), known))).toEqual({ tier: 'T3', codes: [], n: 4 });
  });

  it('goes on through a kexec that carries the list over, and ends with one that does not: the new list alone gives another value', async () => {
    const kexec = [{ path: 'boot_aggregate' }, { path: SIDECAR, digest: GOOD }];
    await measures(machine, kexec);
    expect(said(await show(machine, part([...LATER.slice(0, 1), ...kexec], 3), known))).toMatchObject({ tier: 'T3', n: 6 });
    expect(said(await show(machine, part(kexec, 0), known))).toEqual({ tier: 'T2', codes: ['ima.replay'], n: null });
  });

  it('ends with a reset: the list of the boot before continues to nothing, and is not the list of this boot', async () => {
    await machine.reboot('reset');
    await machine.beginEpoch(sha256('after the reset'));
    await measures(machine, BOOT);
    expect(said(await show(machine, part([], 3), known)), 'the same files in the same order are the same history').toMatchObject({ tier: 'T3' });
    await measures(machine, [AHEAD]);
    expect(said(await show(machine, part(LATER.slice(0, 1), 3), known))).toEqual(REFUSED);
    expect(said(await show(machine, part([...BOOT, ...LATER], 0), known))).toEqual({ tier: 'T2', codes: ['ima.replay'], n: null });
  });
});

describe('judged in parts', () => {
  const all: readonly MadeEntry[] = [...BOOT, { path: '/var/log/busy', violation: true }, ...LATER, AHEAD, { path: SIDECAR, digest: 'ff'.repeat(32) }, ...Array.from({ length: 20 }, (_, i) => ({ path: `/tmp/${i}` }))];
  const rules = { ...RULES, maxViolations: 0 };

  it('a list is what it is as a whole, wherever it is cut', () => {
    for (let cut = 0; cut <= all.length; cut++) {
      const before = takeEntries(imaBeginning('sha256', rules), parseIma('ima-binary', binaryList(all.slice(0, cut))), rules);
      const whole = reach(before, parseIma('ima-binary', binaryList(all.slice(cut)), cut), pcr10Of(all), rules)!;
      expect([whole.n, whole.bytes]).toEqual([all.length, binaryList(all).length]);
      expect(imaVerdict(whole, rules)).toEqual(judgeIma(parseIma('ima-binary', binaryList(all)), rules));
    }
  });

  it('a bank that holds padded SHA-1 is told from the first quote on', () => {
    const before = takeEntries(imaBeginning('sha256', rules), parseIma('ima-binary', binaryList(all.slice(0, 4))), rules);
    expect(before.heads).toHaveLength(2);
    expect(reach(before, parseIma('ima-binary', binaryList(all.slice(4)), 4), pcr10Of(all, 'sha256', true), rules)!.heads).toMatchObject([{ how: 'padded' }]);
  });

  it('a piece that was cut anywhere is read to its last whole entry', () => {
    const list = binaryList(BOOT);
    const ends = [1, 2, 3].map((n) => binaryList(BOOT.slice(0, n)).length);
    for (let cut = 1; cut <= list.length; cut++) {
      const whole = ends.filter((end) => end <= cut).length;
      const read = (): number => parsePiece(list.subarray(0, cut), 0).length;
      if (whole === 0 && cut >= 4) expect(codeOf(read)).toBe('ima.malformed');
      else expect(read()).toBe(whole);
    }
  });

  it('a list longer than anyone could be shown is worth nothing: a bundle carries no more', () => {
    const large = parseIma('ima-binary', binaryList([{ path: '/buffer', template: 'ima-buf', sig: Buffer.alloc(1_000_000) }]));
    const near = { ...imaBeginning('sha256', rules), n: 1, bytes: IMA_LIST_BYTES - large[0]!.size };
    expect(takeEntries(near, large, rules).bytes).toBe(IMA_LIST_BYTES);
    expect(codeOf(() => takeEntries({ ...near, bytes: near.bytes + 1 }, large, rules))).toBe('ima.too_large');
  });
});
