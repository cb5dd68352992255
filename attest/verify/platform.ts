/** The quoted platform: is this the enrolled TPM, now, in the state it says? */
import { fromB64u, sha256 } from '../../src/base/bytes.js';
import { type Finding, fault, finding } from '../../src/base/fault.js';
import { TIERS, type Tier, lower } from '../../src/names.js';
import type { Policy } from '../../src/objects/decision.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { TrustVector } from '../../src/objects/ear.js';
import { type PlatformBinding, type PlatformEvidence, platformHash, platformQualifyingData } from '../../src/objects/evidence.js';
import { logEnd } from '../evidence.js';
import { type Extended, assertBoot, extendHead } from '../head.js';
import type { Advance, KnownDevice, PlatformAppraisal, PlatformInput, PlatformResult } from '../types.js';
import { type EnrolledKey, authenticate } from './attest.js';
import { type ClockInfo, assertForward, assertSameBoot } from './clock.js';
import { enrolledKey } from './device.js';
import { type Measured, judgeMeasured } from './measured.js';
import { assertLogIndex, assertRegister, readCounter } from './nv.js';
import { assertPcrs } from './pcrs.js';
import { untilRefused } from './refusal.js';
import { BROKEN_VECTOR, submodule } from './status.js';

/** What was proven of a platform. */
interface Proven { readonly clockInfo: ClockInfo; readonly latestClock: bigint; readonly firmware: bigint; readonly log: Extended; readonly ctr: bigint | null }

/** Appraises a platform part: authenticity stops at the first failure, policy is judged whole. Never throws for what the evidence holds. */
export function appraisePlatform(input: PlatformInput): PlatformResult {
  const judged = untilRefused(() => provePlatform(input));
  if (!judged.ok) return { appraisal: refused(input, judged.refusal), next: null, ima: null };
  const measured = judgeMeasured(input.evidence, input.policy, input.ima ?? null);
  return { appraisal: affirmed(input, judged.value, measured), next: advance(input, judged.value), ima: measured.ima };
}

/** The checklist, in the order that nothing is used before it is proven. @throws Fault with the code of the first step that fails */
function provePlatform({ evidence, log, nonce, aud, device, policy, connection }: PlatformInput): Proven {
  const record = device.record.value;
  const ak = enrolledKey(device);
  const quote = authenticate(ak, evidence.quote, 'quote', 'quote', platformQualifyingData('quote', evidence.binding));
  assertPlatformBinding(evidence.binding, { nonce, aud, logN: logEnd(log), logEpoch: log.epoch });
  assertForward(quote.clockInfo, device.clock);
  assertFirmware(quote.firmwareVersion, record);
  assertPcrs(quote.attested, evidence.quote, policy.pcrs, ak.scheme.hash);
  assertLogIndex(log.entries, record);
  const extended = extendHead(device.head, log);
  assertBoot(extended, quote.clockInfo, device.latest);
  const register = proveRegister(ak, evidence, device, quote.clockInfo, extended, connection);
  const counter = proveCounter(ak, evidence, device, quote.clockInfo);
  const clocks = [quote.clockInfo.clock, register, counter?.clock ?? 0n];
  return { clockInfo: quote.clockInfo, latestClock: clocks.reduce((a, b) => (a > b ? a : b)), firmware: quote.firmwareVersion, log: extended, ctr: counter?.value ?? null };
}

function assertPlatformBinding(bound: PlatformBinding, wanted: Omit<PlatformBinding, 'v'>): void {
  const differs = (['nonce', 'aud', 'logN', 'logEpoch'] as const).find((member) => bound[member] !== wanted[member]);
  if (differs !== undefined) throw fault('binding.mismatch', { what: differs });
}

/** Another firmware is another TPM until it is enrolled again. @throws Fault quote.firmware */
export function assertFirmware(seen: bigint, record: DeviceRecord): void {
  if (seen !== record.firmware) throw fault('quote.firmware', { seen: seen.toString(16) });
}

/**
 * Nothing is taken from a log that the register does not prove: without a certification only a refresh that brings no records passes. A device that
 * never had a register is at tier T1, and its log is worth its word. @returns the certification's clock
 */
function proveRegister(ak: EnrolledKey, { binding, register }: PlatformEvidence, device: KnownDevice, boot: ClockInfo, { head, rows }: Extended, connection: boolean): bigint {
  const name = device.record.value.registerName;
  if (register === null) {
    if (name !== null && (connection || rows.length > 0)) throw fault('register.missing');
    return 0n;
  }
  const attest = authenticate(ak, register, 'nv', 'register', platformQualifyingData('register', binding));
  assertSameBoot(attest.clockInfo, boot);
  assertForward(attest.clockInfo, device.clock);
  assertRegister(attest.attested, name, head.register);
  return attest.clockInfo.clock;
}

function proveCounter(ak: EnrolledKey, { binding, counter }: PlatformEvidence, device: KnownDevice, boot: ClockInfo): { value: bigint; clock: bigint } | null {
  if (counter === null) return null;
  const attest = authenticate(ak, counter, 'nv', 'counter', platformQualifyingData('counter', binding));
  assertSameBoot(attest.clockInfo, boot);
  assertForward(attest.clockInfo, device.clock);
  return { value: readCounter(attest.attested, device.record.value.counterName, device.clock?.ctr ?? null), clock: attest.clockInfo.clock };
}

/** What policy asks and the evidence does not bring: each is a finding, none passes in silence. Asked of each payment too, for the policy may have changed since. */
export function policyFindings(record: DeviceRecord, policy: Policy, { boot, ima }: PlatformEvidence): Finding[] {
  return [
    ...(record.ekRoot === null ? [finding('device.unchained')] : []),
    ...(record.simulated && !policy.allowSimulated ? [finding('decision.simulated')] : []),
    ...(record.registerName === null ? [finding('register.missing')] : []),
    ...(policy.requireBootLog && boot === null ? [finding('boot.missing')] : []),
    ...((policy.requireIma || policy.ima !== undefined) && ima === null ? [finding('ima.missing')] : []),
  ];
}

/** The most that evidence of this device can reach: T4 is named and not reachable yet. */
export const tierOf = (record: DeviceRecord): Tier => lower(TIERS, record.tierMax, record.ekRoot !== null && record.registerName !== null ? 'T3' : 'T1');

/** The hardware of a simulated TPM is not affirmed: there is none. What nothing was checked of is not claimed. */
export const platformClaims = (record: DeviceRecord): TrustVector => ({ 'instance-identity': 2, 'storage-opaque': 2, ...(record.simulated ? {} : { hardware: 2 }) });

function affirmed({ evidence, device, policy, connection }: PlatformInput, proven: Proven, measured: Measured): PlatformAppraisal {
  const record = device.record.value;
  const missing = connection && record.counterName !== null && proven.ctr === null ? [finding('ctr.missing')] : [];
  const { resetCount, restartCount, clock } = proven.clockInfo;
  return {
    ...submodule('platform', { ...platformClaims(record), ...measured.claims }, [...policyFindings(record, policy, evidence), ...measured.findings, ...missing]),
    /* by data, never rounded up */
    ...subject(evidence, record), secureBoot: measured.secureBoot, measuredBy: measured.measuredBy, authentic: true,
    tier: lower(TIERS, tierOf(record), measured.measuredBy === 'self' ? 'T2' : 'T3'), firmware: proven.firmware, resetCount, restartCount, clock, ctr: proven.ctr,
  };
}

function refused({ evidence, device }: PlatformInput, refusal: Finding): PlatformAppraisal {
  return {
    ...submodule('platform', BROKEN_VECTOR, []), findings: [refusal],
    ...subject(evidence, device.record.value), authentic: false, tier: 'T0', firmware: 0n, resetCount: 0, restartCount: 0, clock: 0n, ctr: null,
  };
}

const subject = (evidence: PlatformEvidence, { akName, simulated }: DeviceRecord) =>
  ({ platformSha256: platformHash(evidence), akName, simulated, bank: evidence.quote.bank, secureBoot: null, measuredBy: 'self' as const });

function advance({ evidence, device }: PlatformInput, { clockInfo: { resetCount, restartCount }, latestClock, log, ctr }: Proven): Advance {
  const attestSha256 = sha256(fromB64u(evidence.quote.attest) ?? '');
  return {
    clock: { resetCount, restartCount, clock: latestClock, seq: device.clock?.seq ?? 0, ctr: ctr ?? device.clock?.ctr ?? null, attestSha256 },
    head: { ...log.head, resetCount, restartCount }, entries: log.rows, anchor: log.anchor,
  };
}
