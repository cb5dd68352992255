/** The platform part of an enrolled device: appraised on a nonce of this connection, kept under its hash for the payments that will name it. */
import { type ImaStanding, encodeImaStanding } from '../attest/ima/index.js';
import type { DeviceClock, PlatformResult } from '../attest/types.js';
import { appraisePlatform, encodePlatformAppraisal } from '../attest/verify/index.js';
import { Fault, fault, faultTold } from '../src/base/fault.js';
import { stringify } from '../src/base/shape.js';
import type { LinkBody } from '../src/link.js';
import { type PlatformEvidence, platformEvidence } from '../src/objects/evidence.js';
import type { Verifier } from './context.js';
import { knownDevice } from './known.js';
import type { DeviceRow } from './store/verbs.js';

/** The refusal of evidence that is not authentic, as the fault that the device is told. */
export function refusalOf({ appraisal }: PlatformResult): Fault {
  const [first] = appraisal.findings;
  return first ? faultTold(first.code, first.message) : fault('quote.missing');
}

/** A log that begins must begin over a nonce of this verifier: a history prepared before anybody asked is none. @throws Fault log.anchor */
export function assertAnchor(v: Verifier, akName: string, result: PlatformResult): void {
  const anchor = result.next?.anchor;
  if (anchor && !v.nonces.wasIssued(anchor.nonce, akName)) throw fault('log.anchor', { what: 'its nonce is not of this verifier' });
}

/**
 * Appraises and keeps platform evidence. `fresh`: whether the nonce was given out on this connection. `connection`: it proves the key of a connection.
 * `ima`: where its IMA list stands; a part that does not go on from there is refused, and the device begins anew.
 * @throws Fault nonce.*, device.revoked, ima.gap, or the first finding of evidence that is not authentic
 */
export async function takePlatform(v: Verifier, device: DeviceRow, { evidence, log }: LinkBody<'platform'>, { fresh, connection, ima }: { fresh: boolean; connection: boolean; ima: ImaStanding | null }): Promise<PlatformResult> {
  const { nonce } = evidence.binding;
  const checked = v.nonces.check(nonce, device.akName, v.now());
  if (!checked.ok) throw fault(checked.code);
  if (!fresh) throw fault('nonce.unknown');
  if (device.state !== 'enrolled') throw fault('device.revoked', { state: device.state });
  const known = await knownDevice(v, device, log.epoch);
  const result = appraisePlatform({ evidence, log, nonce, aud: v.config.issuers.verifier, device: known, policy: v.trust.policy().value, connection, ima });
  assertAnchor(v, device.akName, result);
  const gap = result.appraisal.findings.find(({ code }) => code === 'ima.gap');
  if (gap) throw faultTold(gap.code, gap.message);
  await keepPlatform(v, { deviceId: device.deviceId, akName: device.akName, evidence, result, nonce: { value: nonce, expiresMs: checked.expiresMs }, before: known.clock });
  return result;
}

export interface Kept { deviceId: string; akName: string; evidence: PlatformEvidence; result: PlatformResult; nonce: { value: string; expiresMs: number }; before: DeviceClock | null }

/** @throws Fault of the first finding when the evidence is not authentic; nonce.used when the nonce was used or another evidence was faster */
export async function keepPlatform(v: Verifier, { deviceId, akName, evidence, result, nonce, before }: Kept): Promise<void> {
  if (!result.next) throw refusalOf(result);
  const { clock, head, entries } = result.next;
  const kept = await v.store.acceptPlatform({
    nonce: { ...nonce, deviceId, purpose: 'platform' }, device: { akName, before, after: clock, head, entries }, deviceId,
    platformSha256: result.appraisal.platformSha256, evidence: stringify(platformEvidence, evidence), appraisal: encodePlatformAppraisal(result.appraisal), nowMs: v.now(),
    ima: result.ima && { resetCount: result.appraisal.resetCount, standing: encodeImaStanding(result.ima) },
  });
  if (!kept) throw fault('nonce.used');
}
