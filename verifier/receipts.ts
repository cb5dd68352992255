/** What settlement signs and deposits about money that moved, or did not: receipts, refunds, and their leaves. */
import type { Code } from '../src/codes.js';
import type { Money } from '../src/money.js';
import type { LeafKind } from '../src/names.js';
import type { ExecutionToken, Receipt, Refund } from '../src/objects/settlement.js';
import type { Verified } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';
import { leafDraft } from './leaves.js';
import type { Permitted } from './permitted.js';
import type { LeafDraft } from './store/verbs.js';

/** How an order ended at the rail: `code` is null when the money moved. */
export interface Ended { readonly code: Code | null; readonly reference: string | null }

export function receiptOf(v: Verifier, { value, sha256 }: Verified<ExecutionToken>, amount: Money, { code, reference }: Ended): Receipt {
  const nowS = Math.floor(v.now() / 1000);
  return {
    iss: v.config.issuers.settlement, iat: nowS, jti: freshId(v, 'rcp'), status: code === null ? 'Success' : 'Error', reference: value.closedSha256,
    paymentId: value.paymentId, pspConfirmationId: reference, error: code, executionSha256: sha256, amount, settledAt: nowS,
  };
}

export function refundOf(v: Verifier, { value, sha256 }: Verified<ExecutionToken>, { refundId, amount, receiptSha256, reference }: { refundId: string; amount: bigint; receiptSha256: string; reference: string | null }): Refund {
  const nowS = Math.floor(v.now() / 1000);
  return {
    iss: v.config.issuers.settlement, iat: nowS, jti: freshId(v, 'rcp'), refundId, paymentId: value.paymentId, pspConfirmationId: reference,
    receiptSha256, executionSha256: sha256, amount: { amount, currency: value.amount.currency }, refundedAt: nowS,
  };
}

/** A leaf that names everything the payment's decision rested on, and what became of it. */
export function resultLeaf(v: Verifier, { decision }: Permitted, chain: string, said: { kind: LeafKind; code?: Code | null; execution: string | null; receipt: string | null; subject?: string | null }): LeafDraft {
  const { paymentSha256, mandateSha256, carrierSha256, earSha256, confirmationSha256 } = decision.value.inputs;
  return leafDraft(v, { chain, payment: paymentSha256, mandate: mandateSha256, carrier: carrierSha256, ear: earSha256, confirmation: confirmationSha256, decision: decision.sha256, ...said });
}
