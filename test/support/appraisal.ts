/** What the appraisal tests share: a device's good platform evidence, variations of its record, and a key that signs what no TPM would. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { Public, Signature, encode, nameOf, templates } from '@ari-sidecar/tpm2';
import { toB64u } from '../../src/base/bytes.js';
import type { Code } from '../../src/codes.js';
import { DEVICE_RECORD, type DeviceRecord } from '../../src/objects/device.js';
import type { Attestation, PlatformEvidence } from '../../src/objects/evidence.js';
import { open, seal } from '../../src/objects/signed.js';
import type { KnownDevice, PlatformInput, PlatformResult } from '../../attest/types.js';
import { appraisePlatform } from '../../attest/verify/index.js';
import { TEST_POLICY, type TestDevice } from './device.js';
import { VERIFIER } from './examples.js';
import { SIGNERS, keys } from './keys.js';

/** The device's record with other claims, signed by the verifier all the same: what a careless enrolment would have let in. */
export const recordWith = (device: TestDevice, changes: Partial<DeviceRecord>): KnownDevice['record'] =>
  open(DEVICE_RECORD, seal(DEVICE_RECORD, { ...device.record.value, ...changes }, SIGNERS.verifier), keys);

/** A software key under the record of a device. */
export function softwareKey(device: TestDevice): { record: KnownDevice['record']; sign: (attest: Buffer) => Attestation } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const area = { ...templates.akP256, unique: { x: Buffer.from(x!, 'base64url'), y: Buffer.from(y!, 'base64url') } };
  const sign = (attest: Buffer): Attestation => {
    const raw = createSign('sha256').update(attest).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' });
    return { attest: toB64u(attest), signature: toB64u(encode(Signature, { sigAlg: 'ecdsa', hash: 'sha256', signatureR: raw.subarray(0, 32), signatureS: raw.subarray(32) })) };
  };
  return { record: recordWith(device, { akPublic: toB64u(encode(Public, area)), akName: nameOf(area).toString('hex') }), sign };
}

/** Appraises variations of one platform part: `refusal` answers the code that the first failed step gave. */
export function platformBench(device: TestDevice, evidence: PlatformEvidence) {
  const appraise = (overrides: Partial<PlatformInput> = {}): PlatformResult =>
    appraisePlatform({ evidence, log: device.delta(), nonce: evidence.binding.nonce, aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true, ...overrides });
  const refusal = (overrides: Partial<PlatformInput>): Code | 'accepted' => {
    const { appraisal, next } = appraise(overrides);
    if (appraisal.authentic) return 'accepted';
    if (next !== null || appraisal.tier !== 'T0' || appraisal.status !== 'contraindicated') throw new Error('refused evidence left something behind');
    return appraisal.findings[0]!.code;
  };
  return { appraise, refusal };
}
