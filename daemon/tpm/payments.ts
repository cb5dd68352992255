/** The payment part of evidence: many bindings below one root, and one signature of the TPM over it. */
import { Quote, type Tpm, selectPcrs } from '@ari-sidecar/tpm2';
import { batchOf } from '../../attest/batch.js';
import { bindingFor, paymentEvidenceOf, paymentQualifyingData } from '../../attest/evidence.js';
import type { Attestation, PaymentEvidence } from '../../src/objects/evidence.js';
import type { Identity } from './identity.js';
import type { Measurements } from './measurements.js';
import { attestationOf } from './nv.js';
import type { Bank } from './pcrs.js';
import type { Sequence } from './sequence.js';
import type { ProofParts } from './types.js';

/** A tree of 65536 leaves is the largest that evidence carries (paths of 16). */
export const MOST_PAYMENTS = 65_536;

export interface PaymentRoom {
  readonly tpm: Tpm;
  readonly identity: Identity;
  readonly bank: Bank;
  readonly measurements: Measurements;
  readonly sequence: Sequence;
}

/**
 * Binds these payments, in this order, and has the root signed: by certification of the register, or at tier T1 without a register by a quote.
 * The caller keeps the log still meanwhile: what is certified must be what the bindings name.
 */
export async function provePayments(room: PaymentRoom, all: readonly ProofParts[]): Promise<PaymentEvidence[]> {
  const { measurements } = room;
  const log = measurements.head();
  const first = await room.sequence.take(all.length);
  const bindings = all.map(({ nonce, aud, paymentSha256, mandateSha256, closedSha256, platformSha256, jkt, agent }, i) =>
    bindingFor({ nonce, aud, paymentSha256, mandateSha256, closedSha256, platformSha256, jkt, agent, log, seq: first + i, ctr: null }));
  const { root, paths } = batchOf(bindings);
  const data = paymentQualifyingData(root);
  const certified = await measurements.certify(data);
  const signed = { carrier: certified ? 'register' : 'quote', attestation: certified ?? (await quoteNothing(room, data)) } as const;
  return all.map(({ agent, logFrom }, i) => paymentEvidenceOf({ binding: bindings[i]!, batch: paths[i]!, log: measurements.delta(logFrom), agent, ...signed }));
}

/** A quote of no PCRs: its signature, clock and qualifying data are what is wanted. The platform part has the PCRs. */
async function quoteNothing({ tpm, identity, bank }: PaymentRoom, qualifyingData: Uint8Array): Promise<Attestation> {
  const { quoted, signature } = await tpm.run(Quote, { signHandle: identity.ak }, { qualifyingData, inScheme: { scheme: 'null' }, PCRselect: selectPcrs(bank, []) });
  return attestationOf(quoted, signature);
}
