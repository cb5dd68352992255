/** Real TPMs, extended as firmware, systemd-stub and systemd-pcrphase extend them: what tier follows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Policy } from '../../src/objects/decision.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { learnUki, parseBootLog, readPe } from '../../attest/boot/index.js';
import type { PlatformAppraisal } from '../../attest/types.js';
import { appraisePayment, appraisePlatform, earOf, keptOf } from '../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { NOW, VERIFIER } from '../support/examples.js';
import { GOOD_BOOT, type MadeEvent, agileLog, hashOf, pcrsOf, variable } from './support/logs.js';
import { PARTS, peImage, phase, started, stubEvents, ukiBoot } from './support/uki.js';

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13];
const PHASES = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready'].map(phase);
const bootOf = (events: readonly MadeEvent[]): NonNullable<PlatformEvidence['boot']> => ({ format: 'tcg2-binary', data: toB64u(agileLog(events)) });
const quoted = new Map([...pcrsOf(ukiBoot()), [12, Buffer.alloc(32)] as const, [13, Buffer.alloc(32)] as const]);
const UKI = learnUki({ log: parseBootLog(agileLog(ukiBoot())), bank: 'sha256', quoted }, readPe(peImage(PARTS).file), 'root');
const POLICY: Policy = { ...TEST_POLICY, pcrs: PCRS, requireBootLog: true, requireIma: false, uki: UKI };

/** Boots, extends what is not logged, and quotes. */
async function machine(events: readonly MadeEvent[], unlogged: readonly MadeEvent[] = [], told = events): Promise<{ device: TestDevice; evidence: PlatformEvidence }> {
  const device = await TestDevice.start({ measures: [...events, ...unlogged].map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
  return { device, evidence: await device.platform({ nonce: sha256('platform'), pcrs: PCRS, logs: { boot: bootOf(told) } }) };
}
const judged = ({ device, evidence }: Awaited<ReturnType<typeof machine>>, policy: Partial<Policy> = {}, logs: Partial<PlatformEvidence> = {}): PlatformAppraisal =>
  appraisePlatform({ evidence: { ...evidence, ...logs }, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: { ...POLICY, ...policy }, connection: true }).appraisal;

let good: Awaited<ReturnType<typeof machine>>;
beforeAll(async () => { good = await machine(ukiBoot(), PHASES); });
afterAll(() => good.device.stop());

describe('a machine that was booted from the unified kernel image of the policy', () => {
  it('is of tier T3 without IMA, and the result says who measured the sidecar', async () => {
    const { device, evidence } = good;
    const appraisal = judged(good);
    expect(appraisal).toMatchObject({ authentic: true, tier: 'T3', measuredBy: 'uki', secureBoot: true, findings: [], status: 'affirming' });
    const log = device.delta();
    const { next } = appraisePlatform({ evidence, log, nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: POLICY, connection: true });
    const paid = await device.pay(evidence, { logFrom: next!.head.nextN });
    const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } = paid.payment.binding;
    const result = appraisePayment({
      evidence: paid, expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known({ clock: next!.clock, head: next!.head, latest: next!.head }),
      platform: keptOf(evidence, appraisal), manifest: device.manifest, policy: POLICY,
    });
    const ids = { iss: VERIFIER, aud: VERIFIER, jti: 'ear-1', verifier: { developer: VERIFIER, build: 'test' } };
    const ear = earOf({ result, evidence: paid, device: device.record.value, manifest: device.manifest.value, policy: POLICY, ids, sidecarVersion: '0.1.0', nowS: NOW });
    expect(ear?.submods).toMatchObject({ platform: { ariPlatform: { tier: 'T3' } }, sidecar: { ariSidecar: { measuredBy: 'uki' } } });
  });

  it('is of tier T2 when policy names no image: a log of sections proves nothing by itself', () => {
    const { uki: _, ...open } = POLICY;
    const { device, evidence } = good;
    expect(appraisePlatform({ evidence, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: open, connection: true }).appraisal).toMatchObject({ tier: 'T2', measuredBy: 'self', findings: [] });
  });

  it('is of tier T2 without its boot log, and with one that contradicts', () => {
    expect(judged(good, {}, { boot: null })).toMatchObject({ tier: 'T2', measuredBy: 'self' });
    expect(judged(good, {}, { boot: null }).findings.map(({ code }) => code)).toEqual(['boot.missing', 'boot.uki']);
    expect(judged(good, {}, { boot: bootOf(ukiBoot().slice(1)) })).toMatchObject({ tier: 'T2', measuredBy: 'self' });
  });

  it('is of tier T2 for a policy of another image: warned when enforced, told in shadow, silent while learning', () => {
    const other = { uki: { ...UKI, images: [{ ...UKI.images[0]!, started: [UKI.images[0]!.started[0]!, 'ee'.repeat(32)] }] } };
    expect(judged(good, other)).toMatchObject({ tier: 'T2', measuredBy: 'self', status: 'warning', findings: [{ code: 'boot.uki', message: expect.stringContaining('PCR 4 shows') as string }] });
    expect(judged(good, { ...other, stage: 'shadow' })).toMatchObject({ tier: 'T2', status: 'affirming', findings: [{ code: 'boot.shadow', message: expect.stringContaining('unified kernel image') as string }] });
    expect(judged(good, { ...other, stage: 'learn' })).toMatchObject({ tier: 'T2', findings: [] });
  });

  it('is of tier T2 when its files are not as the IMA policy says, whatever the image', () => {
    const ima = { files: [], signers: [], closed: true, maxViolations: 0, sidecar: [] };
    const list = { format: 'ima-ascii' as const, from: 0, data: toB64u(Buffer.from('no list')) };
    expect(judged(good, { ima, pcrs: PCRS }, { ima: list })).toMatchObject({ tier: 'T2', measuredBy: 'self' });
  });
});

describe('another machine', () => {
  it('whose signed system made PCR 11 up has the very value, and tier T2', async () => {
    const attacker = await machine([...GOOD_BOOT, started(Buffer.from('a signed kernel'))], [...stubEvents(PARTS), ...PHASES], [...GOOD_BOOT, started(Buffer.from('a signed kernel')), ...stubEvents(PARTS)]);
    try {
      expect(attacker.evidence.quote.pcrs['11']).toBe(good.evidence.quote.pcrs['11']);
      expect(judged(attacker)).toMatchObject({ authentic: true, tier: 'T2', measuredBy: 'self', secureBoot: true, findings: [{ code: 'boot.uki' }] });
    } finally {
      await attacker.device.stop();
    }
  });

  it('with Secure Boot off is of tier T2 though it started the image', async () => {
    const off = ukiBoot().map((event, i) => (i === 2 ? { pcr: 7, type: 0x80000001, data: variable('SecureBoot', Buffer.of(0)) } : event));
    const open = await machine(off, PHASES);
    try {
      expect(judged(open)).toMatchObject({ authentic: true, tier: 'T2', measuredBy: 'self', secureBoot: false, findings: [{ code: 'boot.secure_boot' }] });
    } finally {
      await open.device.stop();
    }
  });

  it('whose command line was overridden is of tier T2: the stub measured it into PCR 12', async () => {
    const override = { pcr: 12, type: 0xd, data: Buffer.from('init=/bin/sh\0', 'utf16le') };
    const overridden = await machine([...ukiBoot(), override], PHASES);
    try {
      expect(judged(overridden)).toMatchObject({ tier: 'T2', measuredBy: 'self', findings: [{ code: 'boot.uki', message: expect.stringContaining('PCR 12') as string }] });
      expect(judged(overridden, {}, { boot: bootOf(ukiBoot()) })).toMatchObject({ tier: 'T2', findings: [{ code: 'boot.uki' }] });
    } finally {
      await overridden.device.stop();
    }
  });
});
