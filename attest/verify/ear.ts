/** The appraisal as an EAT Attestation Result: claims only, the verifier seals them with {@link EAR}. */
import { hashOf } from '../../src/base/shape.js';
import { NS, TIERS, atLeast } from '../../src/names.js';
import { type Policy, policy as policyShape } from '../../src/objects/decision.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import { EAR_PROFILE, type Ear } from '../../src/objects/ear.js';
import type { Evidence } from '../../src/objects/evidence.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import type { PaymentResult, Submodule } from '../types.js';

/** An attestation result is about now: whoever relies on it later asks for a new one. */
export const EAR_LIFE_S = 60;

export interface EarInput {
  result: PaymentResult;
  evidence: Evidence;
  device: DeviceRecord;
  manifest: AgentManifest | null;
  policy: Policy;
  /** Issuer, audience and token id; who the verifier is and which build. */
  ids: { iss: string; aud: string; jti: string; verifier: Ear['earVerifierId'] };
  /** The sidecar's own word on its build (hello). */
  sidecarVersion: string;
  nowS: number;
}

/** @returns null for evidence that is not authentic: there is nothing in it that the verifier could vouch for */
export function earOf({ result, evidence: { payment: { binding, agent } }, device, manifest, policy, ids, sidecarVersion, nowS }: EarInput): Ear | null {
  const { platformAppraisal: quoted } = result;
  if (!result.authentic || quoted === null) return null;
  const common = { earAppraisalPolicyIds: [`${NS}policy:${policy.id}@${policy.version}#sha256=${hashOf(policyShape, policy)}`], eatNonce: binding.nonce };
  const part = ({ status, vector }: Submodule) => ({ earStatus: status, earTrustworthinessVector: vector, ...common });
  const { firmware, resetCount, restartCount, clock, bank, secureBoot } = quoted;
  return {
    eatProfile: EAR_PROFILE, iss: ids.iss, aud: ids.aud, sub: device.deviceId, jti: ids.jti, iat: nowS, exp: nowS + EAR_LIFE_S,
    earVerifierId: ids.verifier, earStatus: result.status, cnf: { jkt: binding.jkt },
    submods: {
      platform: {
        ...part(result.platform),
        ariPlatform: {
          tier: result.tier, simulated: result.simulated, akName: device.akName, ekRoot: device.ekRoot, firmware, resetCount, restartCount, clock,
          pcrBank: bank, secureBoot, findings: result.platform.findings,
        },
      },
      sidecar: { ...part(result.sidecar), ariSidecar: { version: sidecarVersion, measuredBy: atLeast(TIERS, result.tier, 'T3') ? quoted.measuredBy : 'self' } },
      agent: {
        ...part(result.agent),
        ariAgent: {
          agentId: agent.agentId, version: manifest?.agent.version ?? 'unknown', manifestSha256: agent.manifestSha256, agentSha256: binding.agentSha256,
          mode: agent.mode, findings: result.agent.findings,
        },
      },
    },
    ariBinding: {
      paymentSha256: binding.paymentSha256, mandateSha256: binding.mandateSha256, closedSha256: binding.closedSha256, nonce: binding.nonce, seq: binding.seq, logN: binding.logN,
    },
    ariEvidence: { sha256: result.evidenceSha256 },
  };
}
