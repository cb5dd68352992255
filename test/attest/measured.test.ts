import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Policy } from '../../src/objects/decision.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { learn, parseBootLog } from '../../attest/boot/index.js';
import { extensionOf, parseIma } from '../../attest/ima/index.js';
import type { PlatformAppraisal } from '../../attest/types.js';
import { appraisePayment, appraisePlatform, keptOf } from '../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { KERNEL_BOOT, type MadeEntry, type MadeEvent, agileLog, asciiList, binaryList, hashOf, pcrsOf, variable } from './support/logs.js';

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10];
const SIDECAR = '/opt/ari/main.js';
const FILES: readonly MadeEntry[] = [{ path: 'boot_aggregate' }, { path: '/usr/bin/node', digest: 'aa'.repeat(32) }, { path: SIDECAR, digest: 'bb'.repeat(32) }];
const LATER: MadeEntry = { path: '/tmp/after-the-quote', digest: 'cc'.repeat(32) };

const boot = (events: readonly MadeEvent[] = KERNEL_BOOT): NonNullable<PlatformEvidence['boot']> => ({ format: 'tcg2-binary', data: toB64u(agileLog(events)) });
const ima = (entries: readonly MadeEntry[] = [...FILES, LATER], format: 'ima-binary' | 'ima-ascii' = 'ima-binary', from = 0): NonNullable<PlatformEvidence['ima']> =>
  ({ format, from, data: toB64u(format === 'ima-binary' ? binaryList(entries) : asciiList(entries)) });
const IMA_POLICY: NonNullable<Policy['ima']> = { files: [{ path: '/usr/bin/node', digests: [`sha256:${'aa'.repeat(32)}`] }, { path: SIDECAR, digests: [`sha256:${'bb'.repeat(32)}`] }], signers: [], closed: true, maxViolations: 0, sidecar: ['/usr/bin/node', SIDECAR] };
const { reference } = learn(parseBootLog(agileLog(KERNEL_BOOT)), 'sha256', pcrsOf(KERNEL_BOOT));
const POLICY: Policy = { ...TEST_POLICY, pcrs: PCRS, requireBootLog: true, requireIma: true, bootReference: reference, ima: IMA_POLICY };

let device: TestDevice;
let evidence: PlatformEvidence;
beforeAll(async () => {
  device = await TestDevice.start({ measures: KERNEL_BOOT.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
  for (const entry of parseIma('ima-binary', binaryList(FILES))) await device.extendPcr(10, extensionOf(entry, 'sha256', 'own'));
  evidence = await device.platform({ nonce: sha256('platform'), pcrs: PCRS, logs: { boot: boot(), ima: ima() } });
});
afterAll(() => device.stop());

const appraise = (logs: Partial<PlatformEvidence> = {}, policy: Partial<Policy> = {}): PlatformAppraisal =>
  appraisePlatform({ evidence: { ...evidence, ...logs }, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: { ...POLICY, ...policy }, connection: true }).appraisal;
const codes = (...parts: Parameters<typeof appraise>): string[] => appraise(...parts).findings.map(({ code }) => code);
const changed = (event: MadeEvent, i: number): MadeEvent[] => KERNEL_BOOT.map((each, at) => (at === i ? event : each));

describe('a machine whose firmware, loaders and sidecar were measured', () => {
  it('is of tier T3, with Secure Boot on and nothing found', () => {
    expect(appraise()).toMatchObject({ authentic: true, tier: 'T3', secureBoot: true, findings: [], status: 'affirming', vector: { configuration: 2, executables: 3 } });
  });

  it('says so in text as well', () => {
    expect(appraise({ ima: ima([...FILES, LATER], 'ima-ascii') })).toMatchObject({ tier: 'T3', findings: [] });
  });

  it('is of tier T2 without the logs, and policy says what is missing', () => {
    expect(appraise({ boot: null, ima: null })).toMatchObject({ authentic: true, tier: 'T2', secureBoot: null });
    expect(codes({ boot: null, ima: null })).toEqual(['boot.missing', 'ima.missing']);
    expect(appraise({ boot: null, ima: null }, { requireBootLog: false, requireIma: false, bootReference: undefined, ima: undefined } as never)).toMatchObject({ tier: 'T2', findings: [] });
  });

  it('without a policy for its own files is of tier T2: nobody said which files the sidecar is', () => {
    const { ima: _, ...open } = POLICY;
    expect(appraisePlatform({ evidence, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: open, connection: true }).appraisal).toMatchObject({ tier: 'T2', findings: [], secureBoot: true });
  });
});

describe('a log that is not what was quoted', () => {
  it.each<[string, Partial<PlatformEvidence>, string]>([
    ['an event is changed', { boot: boot(changed({ pcr: 0, type: 8, data: Buffer.from('firmware 6.6.6') }, 0)) }, 'boot.replay'],
    ['Secure Boot is said to be on by another variable', { boot: boot(changed({ pcr: 7, type: 0x80000001, data: variable('SecureBoot', Buffer.of(1, 1)) }, 2)) }, 'boot.replay'],
    ['the log is cut off', { boot: { format: 'tcg2-binary', data: toB64u(agileLog(KERNEL_BOOT).subarray(0, -3)) } }, 'boot.malformed'],
    ['the log is empty', { boot: { format: 'tcg2-binary', data: '' } }, 'boot.malformed'],
    ['an entry is taken out', { ima: ima(FILES.slice(1)) }, 'ima.replay'],
    ['a file is given another digest', { ima: ima([FILES[0]!, { ...FILES[1]!, digest: 'dd'.repeat(32) }, FILES[2]!]) }, 'ima.replay'],
    ['the list begins in the middle', { ima: ima(FILES.slice(1), 'ima-binary', 1) }, 'ima.gap'],
    ['the list is no list', { ima: { format: 'ima-binary', from: 0, data: toB64u(Buffer.from('nothing of the kind')) } }, 'ima.malformed'],
  ])('is a finding and no tier T3: %s', (_, logs, code) => {
    expect(codes(logs)).toContain(code);
    expect(appraise(logs)).toMatchObject({ authentic: true, tier: 'T2', status: 'contraindicated' });
  });

  it('contradicts even where policy asks for no log', () => {
    const { bootReference: _, ima: __, ...open } = { ...POLICY, requireBootLog: false, requireIma: false };
    const logs = { ...evidence, boot: boot(KERNEL_BOOT.slice(1)), ima: ima(FILES.slice(1)) };
    const { appraisal } = appraisePlatform({ evidence: logs, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: open, connection: true });
    expect(appraisal.findings.map(({ code }) => code)).toEqual(['boot.replay', 'ima.replay']);
  });

  it('names the PCR', () => {
    expect(appraise({ boot: boot(KERNEL_BOOT.filter(({ pcr }) => pcr !== 2)) }).findings.find(({ code }) => code === 'boot.replay')!.message).toContain('PCR 2');
  });
});

describe('what is quoted, and not as policy wants it', () => {
  const other = { ...reference, pcrs: reference.pcrs.map((row) => (row.pcr === 4 ? { ...row, values: ['ee'.repeat(32)] } : row)) };

  it('a boot that the reference does not know names PCR and event, and is no tier T3', () => {
    const { findings, tier } = appraise({}, { bootReference: { ...other, pcrs: other.pcrs.map((row) => (row.pcr === 4 ? { ...row, events: [] } : row)) } });
    expect(findings).toEqual([{ code: 'boot.reference', message: expect.stringMatching(/PCR 4 .*EV_SEPARATOR/) }]);
    expect(tier).toBe('T2');
  });

  it('a kernel that policy does not name may have left PCR 10 to root: the same list is no tier T3', () => {
    const without = (...pcrs: number[]) => ({ bootReference: { ...reference, pcrs: reference.pcrs.filter(({ pcr }) => !pcrs.includes(pcr)) } });
    expect(appraise({}, without(0, 1, 2, 3, 5, 6, 7))).toMatchObject({ tier: 'T3', findings: [] });
    expect(appraise({}, without(4))).toMatchObject({ tier: 'T2', measuredBy: 'self', findings: [] });
    expect(appraise({}, without(8))).toMatchObject({ tier: 'T2', measuredBy: 'self', findings: [] });
  });

  it('in shadow it is only told; while learning it is not', () => {
    expect(appraise({}, { stage: 'shadow', bootReference: other })).toMatchObject({ status: 'affirming', tier: 'T2', findings: [{ code: 'boot.shadow', message: expect.stringContaining('PCR 4') }] });
    expect(appraise({}, { stage: 'learn', bootReference: other })).toMatchObject({ tier: 'T2', findings: [] });
  });

  it('a file that the policy does not list is found; the entry after the quote is not asked', () => {
    const { findings, tier } = appraise({}, { ima: { ...IMA_POLICY, files: IMA_POLICY.files.slice(0, 1) } });
    expect(findings).toEqual([{ code: 'ima.policy', message: expect.stringContaining(SIDECAR) }]);
    expect(tier).toBe('T2');
  });

  it('a sidecar that was measured only after the quote is not measured', () => {
    expect(appraise({}, { ima: { ...IMA_POLICY, files: [...IMA_POLICY.files, { path: LATER.path, digests: [`sha256:${LATER.digest}`] }], sidecar: [LATER.path] } })).toMatchObject({ tier: 'T2', findings: [] });
  });

  it('without PCR 10 or PCR 7 in the quote nothing is proven of files or of Secure Boot', async () => {
    const pcrs = [0, 1, 2, 3, 4, 5, 6];
    const partial = await device.platform({ nonce: sha256('partial'), pcrs, logs: { boot: boot(), ima: ima() } });
    const { appraisal } = appraisePlatform({ evidence: partial, log: device.delta(), nonce: partial.binding.nonce, aud: VERIFIER, device: device.known(), policy: { ...POLICY, pcrs, stage: 'learn' }, connection: true });
    expect(appraisal).toMatchObject({ tier: 'T2', secureBoot: null });
    expect(appraisal.findings.map(({ code }) => code)).toEqual(['boot.secure_boot', 'ima.replay']);
  });
});

describe('a payment', () => {
  it('rests on the tier of the platform, and misses what policy asks for since', async () => {
    const bare = { ...evidence, boot: null, ima: null };
    const { bootReference: _, ima: __, ...open } = { ...POLICY, requireBootLog: false, requireIma: false };
    const judged = async (platform: PlatformEvidence, before: Policy, now: Policy) => {
      const log = device.delta();
      const { appraisal, next } = appraisePlatform({ evidence: platform, log, nonce: platform.binding.nonce, aud: VERIFIER, device: device.known(), policy: before, connection: true });
      const paid = await device.pay(platform, { logFrom: next!.head.nextN });
      const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } = paid.payment.binding;
      return appraisePayment({
        evidence: paid, expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known({ clock: next!.clock, head: next!.head, latest: next!.head }),
        platform: keptOf(platform, appraisal), manifest: device.manifest, policy: now,
      });
    };
    expect(await judged(evidence, POLICY, POLICY)).toMatchObject({ authentic: true, tier: 'T3', findings: [] });
    expect(await judged(bare, open, open)).toMatchObject({ authentic: true, tier: 'T2', findings: [] });
    expect((await judged(bare, open, POLICY)).findings.map(({ code }) => code)).toEqual(['boot.missing', 'ima.missing']);
  });
});

describe('a machine with Secure Boot off', () => {
  it('cannot be talked up by its log, and policy is told', async () => {
    const off = changed({ pcr: 7, type: 0x80000001, data: variable('SecureBoot', Buffer.of(0)) }, 2);
    const machine = await TestDevice.start({ measures: off.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
    const pcrs = PCRS.slice(0, -1);
    const seen = async (events: readonly MadeEvent[]) => {
      const part = await machine.platform({ nonce: sha256('off'), pcrs, logs: { boot: boot(events) } });
      const { bootReference: _, ima: __, ...open } = { ...POLICY, pcrs, requireIma: false };
      return appraisePlatform({ evidence: part, log: machine.delta(), nonce: part.binding.nonce, aud: VERIFIER, device: machine.known(), policy: open, connection: true }).appraisal;
    };
    try {
      expect(await seen(off)).toMatchObject({ tier: 'T2', secureBoot: false, findings: [{ code: 'boot.secure_boot', message: 'Secure Boot is not shown to be on: it is off' }] });
      expect(await seen(KERNEL_BOOT)).toMatchObject({ tier: 'T2', secureBoot: null, findings: [{ code: 'boot.replay' }] });
      const lie = off.map((event, i) => (i === 2 ? { ...event, data: variable('SecureBoot', Buffer.of(1)), measured: event.data! } : event));
      expect(await seen(lie)).toMatchObject({ tier: 'T2', secureBoot: null, findings: [{ code: 'boot.secure_boot' }] });
    } finally {
      await machine.stop();
    }
  });
});
