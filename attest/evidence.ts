/** The device's side of evidence: what the TPM is asked to sign, and how the answers are put together. Pure: the TPM call is the daemon's. */
import type { Sha256 } from '../src/base/bytes.js';
import { type AgentClaims, agentHash } from '../src/objects/claims.js';
import { type Attestation, type Batch, type Binding, type LogDelta, type PaymentEvidence, type PlatformBinding, qualifyingData } from '../src/objects/evidence.js';

/** What a payment is bound to, beside what follows from the agent's claims and the log. */
export interface BindingParts {
  nonce: Sha256;
  aud: string;
  paymentSha256: Sha256;
  mandateSha256: Sha256;
  closedSha256: Sha256;
  platformSha256: Sha256;
  jkt: Sha256;
  agent: AgentClaims;
  /** The log at the moment of signing: its epoch and how many records it has. */
  log: { epoch: Sha256; n: number };
  /** Rises strictly with every binding of this device. */
  seq: number;
  /** The certified counter, for payments made offline; null otherwise. */
  ctr: bigint | null;
}

export function bindingFor({ agent, log, ...parts }: BindingParts): Binding {
  return { v: 'ari-bind-1', ...parts, agentSha256: agentHash(agent), logN: log.n, logEpoch: log.epoch };
}

export const platformBindingFor = (nonce: Sha256, aud: string, log: { epoch: Sha256; n: number }): PlatformBinding =>
  ({ v: 'ari-platform-1', nonce, aud, logN: log.n, logEpoch: log.epoch });

/** qualifyingData of the one signature over a batch of payments: of the register's certification, or of the quote that stands for it at tier T1. */
export const paymentQualifyingData = (root: Uint8Array): Buffer => qualifyingData('payment', root);

/** qualifyingData of the counter's certification beside it, for a payment made offline. */
export const counterQualifyingData = (root: Uint8Array): Buffer => qualifyingData('counter', root);

/** How many records the log has after a delta. */
export const logEnd = (delta: LogDelta): number => delta.from + delta.entries.length;

/** One payment's part of the evidence. `carrier` says which TPM command made the attestation. */
export function paymentEvidenceOf(parts: { binding: Binding; batch: Batch; log: LogDelta; agent: AgentClaims; carrier: 'register' | 'quote'; attestation: Attestation; counter?: Attestation }): PaymentEvidence {
  const { carrier, attestation, ...rest } = parts;
  return { ...rest, register: carrier === 'register' ? attestation : null, quote: carrier === 'quote' ? attestation : null };
}
