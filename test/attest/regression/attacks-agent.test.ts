/**
 * Attacks on the agent and on what firmware and kernel logged, as claims and logs bring them to the verifier. How the sidecar sees them on live processes:
 * test/daemon/sense, test/daemon/door, test/daemon/launch and test/attack.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { EAR } from '../../../src/objects/ear.js';
import { assertLive } from '../../../src/objects/signed.js';
import type { PlatformEvidence } from '../../../src/objects/evidence.js';
import { parse } from '../../../src/base/shape.js';
import { evidence as evidenceShape } from '../../../src/objects/evidence.js';
import { checkAnswer, challengeFor, checkEnrolment, onlyRoots } from '../../../attest/enrol/index.js';
import { contradictions, parseBootLog, readBoot } from '../../../attest/boot/index.js';
import { imaStart, judgeIma, parseIma, coverage } from '../../../attest/ima/index.js';
import { readCertificate } from '../../../attest/x509/index.js';
import { compareWithManifest } from '../../../attest/manifest.js';
import { measureTree } from '../../../attest/measure.js';
import { appraisePayment, appraisePlatform } from '../../../attest/verify/index.js';
import { weighs } from '../../../attest/verify/status.js';
import { platformBench } from '../../support/appraisal.js';
import { TEST_POLICY, TestDevice, certificateTime } from '../../support/device.js';
import { ear } from '../../support/examples.js';
import { codeOf } from '../../support/fault.js';
import { type Change, claimsOf, cleanSnapshot, manifest } from '../support/agent.js';
import { GOOD_BOOT, agileLog, asciiList, binaryList, pcr10Of, pcrsOf, variable } from '../support/logs.js';
import { row } from './rows.js';

const nonce = sha256('platform nonce');
let device: TestDevice;
let good: PlatformEvidence;
beforeAll(async () => {
  device = await TestDevice.start({ ek: 'ekP256' });
  good = await device.platform({ nonce });
});
afterAll(() => device.stop());

/** What weighs against an agent that was measured so. */
const against = (change: Change = {}): string[] => compareWithManifest(claimsOf(cleanSnapshot(change)), manifest).filter(weighs).map(({ code }) => code);
const clean = cleanSnapshot();

row('TOCTOU measure->exec', 'a program replaced, or a file changed and changed back, since the process began', () => {
  expect(against()).toEqual([]);
  expect(against({ exe: { ...clean.exe, replaced: true } })).toEqual(['agent.exe_replaced']);
  expect(against({ touched: ['main.js'] })).toEqual(['agent.changed_since_start']);
});

row('interpreter scripts', 'another script of the same interpreter: the executable is the same, the tree is not', () => {
  const files = [{ path: 'main.js', state: 'read' as const, sha256: sha256('another program') }, { path: 'prompt.txt', state: 'read' as const, sha256: sha256('prompt') }];
  const other = cleanSnapshot({ files, tree: measureTree(files, manifest) });
  expect(other.exe).toEqual(clean.exe);
  expect(against(other)).toEqual(['agent.version_not_authorised', 'agent.drift']);
});

row('LD_PRELOAD', 'a library that scrubbed the environment it came by is mapped all the same', () => {
  const pre = { path: '/tmp/pre.so', sha256: sha256('pre'), deleted: false };
  expect(against({ envNames: ['HOME', 'PATH'], mappings: [...clean.mappings, pre] })).toEqual(['agent.foreign_mapping']);
  expect(against({ envNames: ['LD_PRELOAD'], mappings: [...clean.mappings, { ...pre, deleted: true, sha256: null }] })).toEqual(['agent.foreign_mapping', 'agent.env_risky']);
});

row('NODE_OPTIONS', 'variables, options and start-up files by which a runtime runs foreign code first', () => {
  for (const changed of [{ envNames: ['NODE_OPTIONS'] }, { options: ['--require'] }, { options: ['--import'] }, { hooks: ['/home/agent/.config/hook.mjs'] }]) expect(against(changed), JSON.stringify(changed)).toEqual(['agent.env_risky']);
});

row('ptrace', 'a debugger at any thread; one that has gone again weighs until the process ends', () => {
  expect(against({ tracerPid: 4242 })).toEqual(['agent.traced']);
  expect(compareWithManifest(claimsOf(clean, manifest, ['agent.traced']), manifest).filter(weighs).map(({ code }) => code)).toEqual(['agent.drifted']);
  expect(against({ patchedPages: 1 })).toEqual(['agent.code_patched']);
});

row('SIGUSR1', 'an inspector that a signal opened in a running agent', () => {
  expect(against({ inspector: true })).toEqual(['agent.inspector']);
});

const SIDECAR = '/opt/ari/main.js';
const IMA_POLICY = { files: [{ path: SIDECAR, digests: [`sha256:${'bb'.repeat(32)}`] }], signers: [], closed: true, maxViolations: 0, sidecar: [SIDECAR] };
row('IMA subversion', 'a sidecar run from where nothing is measured, a program nobody listed, a file changed while it was measured', () => {
  const [aggregate, own, stranger] = [{ path: 'boot_aggregate' }, { path: SIDECAR, digest: 'bb'.repeat(32) }, { path: '/dev/shm/run', digest: 'cc'.repeat(32) }];
  const judged = (entries: Parameters<typeof binaryList>[0]) => {
    const list = parseIma('ima-binary', binaryList(entries));
    expect(coverage(list, 'sha256', imaStart('sha256'), pcr10Of(entries))?.covered, 'the list is what was quoted').toHaveLength(entries.length);
    const { findings, sidecar } = judgeIma(list, IMA_POLICY);
    return [sidecar, ...findings.map(({ code }) => code)];
  };
  expect(judged([aggregate, own])).toEqual([true]);
  expect(judged([aggregate])).toEqual([false]);
  expect(judged([aggregate, own, stranger])).toEqual([true, 'ima.policy']);
  expect(judged([aggregate, { ...own, digest: 'dd'.repeat(32) }])).toEqual([false, 'ima.policy']);
  expect(judged([aggregate, own, { ...own, violation: true }])).toEqual([false, 'ima.violation']);
});

row('event-log retyping', 'events given other types and data under the same digests: the replay agrees, and nothing is read from them', () => {
  const quoted = pcrsOf(GOOD_BOOT);
  const at = GOOD_BOOT.findIndex(({ pcr }) => pcr === 7);
  const off = GOOD_BOOT.map((event, i) => (i === at ? { ...event, data: variable('SecureBoot', Buffer.of(0)) } : event));
  const lies = [
    off.map((event, i) => (i === at ? { ...event, data: variable('SecureBoot', Buffer.of(1)), measured: event.data! } : event)),
    GOOD_BOOT.map((event, i) => (i === at ? { ...event, type: 0x80000002 } : event)),
    GOOD_BOOT.map((event, i) => (i === at ? { ...event, type: 5 } : event)),
  ];
  for (const [i, lie] of lies.entries()) {
    const state = readBoot(parseBootLog(agileLog(lie)), 'sha256', i === 0 ? pcrsOf(off) : quoted);
    expect(contradictions(state), 'a replay alone finds nothing').toEqual([]);
    expect(state.secureBoot.known, `${i}`).toBe(false);
  }
  expect(readBoot(parseBootLog(agileLog(GOOD_BOOT)), 'sha256', quoted).secureBoot).toMatchObject({ known: true, state: { enabled: true } });
});

row('verifier oracle', 'wrong answers differ in nothing, however near they are, and evidence is told its first fault only', () => {
  const { expected } = challengeFor(checkEnrolment(device.begin, onlyRoots(device.roots), certificateTime()), { secret: Buffer.alloc(32, 1), sessionId: 's', nonce });
  const near = Buffer.from(expected);
  near[31]! ^= 1;
  const said = [near, Buffer.alloc(32), Buffer.alloc(31), Buffer.alloc(0)].map((answer) => {
    try { checkAnswer(expected, toB64u(answer)); return 'accepted'; } catch (error) { return (error as Error).message; }
  });
  expect(new Set(said).size).toBe(1);
  expect(said[0]).not.toBe('accepted');
  const { appraisal } = platformBench(device, good).appraise({ nonce: sha256('other'), policy: { ...TEST_POLICY, pcrs: [0] } });
  expect(appraisal.findings.map(({ code }) => code)).toEqual(['binding.mismatch']);
});

row('DoS by giant inputs', 'deep, long and endless inputs are refused by their size, in no time', () => {
  const events = Array.from({ length: 100_001 }, () => ({ pcr: 0, type: 8 }));
  const inputs: [string, string, () => unknown][] = [
    ['a boot log of too many events', 'boot.too_large', () => parseBootLog(agileLog(events, ['sha1']))],
    ['a boot log of too many bytes', 'boot.too_large', () => parseBootLog(Buffer.alloc(16_777_217))],
    ['an event of 4 GB', 'boot.malformed', () => parseBootLog(Buffer.concat([agileLog([]), Buffer.alloc(8), Buffer.from('01000000', 'hex'), Buffer.from('0400', 'hex'), Buffer.alloc(20), Buffer.alloc(4, 0xff)]))],
    ['an IMA list of too many entries', 'ima.too_large', () => parseIma('ima-ascii', Buffer.concat([asciiList([{ path: '/x' }]), Buffer.alloc(500_001, '\n')]))],
    ['a certificate of 300 KB', 'cert.malformed', () => readCertificate(Buffer.alloc(300_000, 0x30))],
    ['nested JSON', 'intake.malformed', () => parse(evidenceShape, `${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
  ];
  for (const [what, code, run] of inputs) {
    const from = process.cpuUsage();
    expect(codeOf(run), what).toBe(code);
    expect(process.cpuUsage(from).user / 1000, what).toBeLessThan(2_000);
  }
});

row('revocation suppression', 'a result lives a minute; a revoked device proves nothing, however well', async () => {
  expect(ear.exp - ear.iat).toBeLessThanOrEqual(60);
  expect(codeOf(() => assertLive(EAR, ear, ear.exp + 6))).toBe('token.time');
  const input = { evidence: good, log: device.delta(), nonce, aud: good.binding.aud, policy: TEST_POLICY, connection: true };
  expect(appraisePlatform({ ...input, device: device.known() }).appraisal.authentic).toBe(true);
  expect(appraisePlatform({ ...input, device: device.known({ state: 'revoked' }) }).appraisal.findings[0]?.code).toBe('device.revoked');
  const payment = await device.pay(good);
  const { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt } = payment.payment.binding;
  expect(appraisePayment({ evidence: payment, expected: { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known({ state: 'revoked' }), platform: null, manifest: device.manifest, policy: TEST_POLICY }).code).toBe('device.revoked');
});
