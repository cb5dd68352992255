/** Row 9 of a payment: its evidence, with the platform part that it names, becomes an appraisal and an attestation result. */
import type { PaymentInput, PaymentResult } from '../attest/types.js';
import { appraisePayment, earOf } from '../attest/verify/index.js';
import { type Finding, finding } from '../src/base/fault.js';
import { thumbprint } from '../src/base/jws.js';
import type { Code } from '../src/codes.js';
import type { Appraised } from '../src/law/index.js';
import { EAR } from '../src/objects/ear.js';
import { type Evidence, EVIDENCE_PROFILE } from '../src/objects/evidence.js';
import { seal } from '../src/objects/signed.js';
import { BUILD } from '../src/version.js';
import { freshId, type Verifier } from './context.js';
import type { Asked, Inputs } from './inputs.js';
import type { DeviceRow } from './store/verbs.js';

/** `result` and `ear` are there exactly when the evidence is authentic: nothing else of it may be used otherwise. */
export type Appraisal =
  | { readonly authentic: true; readonly appraised: Appraised; readonly result: PaymentResult; readonly ear: string }
  | { readonly authentic: false; readonly appraised: Appraised };

/** The appraisal of what is not authentic: one finding, and nothing is claimed. */
export const broken = (refusal: Finding, simulated: boolean): Appraisal =>
  ({ authentic: false, appraised: { authentic: false, status: 'contraindicated', tier: 'T0', simulated, code: refusal.code, findings: [refusal] } });

export async function appraise(v: Verifier, row: DeviceRow, asked: Asked, inputs: Inputs, sidecarVersion: string): Promise<Appraisal> {
  const platform = await v.platforms.of(row.deviceId, asked.evidence.binding.platformSha256);
  if (!platform) return broken(finding('quote.missing'), row.simulated);
  const evidence: Evidence = { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: row.akName, platform: platform.evidence, payment: asked.evidence };
  return appraiseAs(v, row, { evidence, expected: expectedOf(v, asked, inputs), device: inputs.device, platform, manifest: inputs.manifest, policy: inputs.policy.value }, sidecarVersion);
}

/** The appraisal of this evidence against what is expected of it, with its attestation result. */
export function appraiseAs(v: Verifier, row: DeviceRow, input: PaymentInput, sidecarVersion: string): Appraisal {
  const { evidence, device, manifest, policy } = input;
  const result = appraisePayment(input);
  const nonce = result.next?.anchor?.nonce;
  if (nonce !== undefined && !v.nonces.wasIssued(nonce, row.akName)) return broken(finding('log.anchor', { what: 'its nonce is not of this verifier' }), row.simulated);
  const ear = earOf({
    result, evidence, device: device.record.value, manifest: manifest?.value ?? null, policy, sidecarVersion, nowS: Math.floor(v.now() / 1000),
    ids: { iss: v.config.issuers.verifier, aud: v.config.issuers.carrier, jti: freshId(v, 'evt'), verifier: { developer: v.config.issuers.verifier, build: BUILD } },
  });
  if (ear === null) return { authentic: false, appraised: result };
  return { authentic: true, appraised: result, result, ear: seal(EAR, ear, v.keys.verifier) };
}

/** What the payment says it is. A hash of what did not come along equals nothing that a TPM could have bound. */
export function expectedOf(v: Verifier, { evidence: { binding } }: Asked, inputs: Inputs) {
  const agentKey = inputs.mandate?.mandate.value.cnf.jwk;
  return {
    nonce: binding.nonce, aud: v.config.issuers.verifier, paymentSha256: inputs.paymentSha256, mandateSha256: inputs.mandateSha256 ?? '',
    closedSha256: inputs.closedSha256 ?? '', jkt: agentKey ? thumbprint(agentKey) : binding.jkt,
  };
}

/** The nonce's own refusal, as a finding of the appraisal. */
export const nonceRefusal = (code: Extract<Code, `nonce.${string}`>): Finding => finding(code);
