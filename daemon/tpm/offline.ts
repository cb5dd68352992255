/**
 * The proof of a payment that no verifier gave a nonce for: the counter rises, and its new value makes the nonce. Everything is done in one turn of the TPM, so
 * that the counter which is certified at the end is the one that was counted at the beginning.
 */
import { batchOf } from '../../attest/batch.js';
import { bindingFor, counterQualifyingData, paymentEvidenceOf, paymentQualifyingData, platformBindingFor } from '../../attest/evidence.js';
import { readAttest } from '../../attest/verify/attest.js';
import { fault } from '../../src/base/fault.js';
import type { Sha256 } from '../../src/base/bytes.js';
import { type PaymentEvidence, type PlatformEvidence, platformHash } from '../../src/objects/evidence.js';
import { type PlatformRoom, platformEvidenceOf } from './platform.js';
import type { PaymentRoom } from './payments.js';
import type { ProofParts } from './types.js';

/** `logFrom`: the verifier had so many records when it was last heard of, all of `epoch`. `nonceOf` and `close` are asked once the counter has its value. */
export interface OfflineRequest {
  readonly aud: string;
  readonly pcrs: readonly number[];
  readonly epoch: Sha256;
  readonly logFrom: number;
  /** The last value of the counter that is known. At another one nothing is counted: it rose where nobody here knows. */
  readonly last: bigint;
  /** Asked in the turn of the TPM, before it counts: throws when nothing may be paid any more. */
  readonly assertAway: () => void;
  readonly nonceOf: (ctr: bigint) => Sha256;
  readonly close: (nonce: Sha256) => Promise<Pick<ProofParts, 'paymentSha256' | 'mandateSha256' | 'closedSha256' | 'agent' | 'jkt'>>;
}

/** `clock`: the TPM's clock, ms, as it signed it with the counter. */
export interface OfflineProof { readonly evidence: PaymentEvidence; readonly platform: PlatformEvidence; readonly ctr: bigint; readonly clock: bigint }

/** @throws Fault ctr.missing, register.missing (offline both are needed), offline.counted, tpm.reset (the log of this boot was never shown to a verifier) */
export async function proveOffline(room: PlatformRoom & PaymentRoom, { aud, pcrs, epoch, logFrom, last, assertAway, nonceOf, close }: OfflineRequest): Promise<OfflineProof> {
  const { counter, measurements } = room;
  if (!counter) throw fault('ctr.missing');
  const log = measurements.head();
  if (log.epoch !== epoch) throw fault('tpm.reset');
  assertAway();
  const stands = await counter.value();
  if (stands !== last) throw fault('offline.counted', { ctr: stands, last });
  const ctr = await counter.increment();
  const nonce = nonceOf(ctr);
  const platform = await platformEvidenceOf(room, platformBindingFor(nonce, aud, log), pcrs, false, null);
  const { agent, ...parts } = await close(nonce);
  const binding = bindingFor({ ...parts, agent, nonce, aud, platformSha256: platformHash(platform), log, seq: await room.sequence.take(1), ctr });
  const { root, paths } = batchOf([binding]);
  const attestation = await measurements.certify(paymentQualifyingData(root));
  if (!attestation) throw fault('register.missing');
  const certified = await counter.certify(counterQualifyingData(root));
  const evidence = paymentEvidenceOf({ binding, batch: paths[0]!, log: measurements.delta(logFrom), agent, carrier: 'register', attestation, counter: certified });
  return { evidence, platform, ctr, clock: readAttest(certified).clockInfo.clock };
}
