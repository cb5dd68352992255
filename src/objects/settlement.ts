/** From decision to money: the execution token (single use, at most 120 s) and the receipt. */
import { z } from 'zod';
import { type Of, id, record, seconds, sha256Text, text, url } from '../base/shape.js';
import { isCode, type Code } from '../codes.js';
import { money } from '../money.js';
import { BOUNDS } from '../names.js';
import { payee } from './intent.js';
import { signedKind } from './signed.js';

export const executionToken = record({
  iss: url,
  aud: url,
  jti: id('tok'),
  iat: seconds,
  exp: seconds,
  carrierId: id('crr'),
  reservationId: id('rsv'),
  payee,
  amount: money,
  bound: z.enum(BOUNDS),
  /** When it may be captured after its own life: the settlement role accepted it within that life, and holds the money until then. */
  captureUntil: seconds.nullable(),
  paymentId: id('pay'),
  paymentSha256: sha256Text,
  decisionSha256: sha256Text,
  closedSha256: sha256Text,
  cnf: record({ jkt: sha256Text }),
  /** c2sp.org/tlog-proof@v1 of the decision's leaf: no token without its leaf. */
  proof: z.string().max(8192),
});
export type ExecutionToken = Of<typeof executionToken>;
export const EXECUTION_TOKEN = signedKind('ari-execution+jwt', 'carrier', executionToken);

/** AP2 payment receipt names. `reference` is the hash of the closed mandate. */
export const receipt = record({
  iss: url,
  iat: seconds,
  jti: id('rcp'),
  status: z.enum(['Success', 'Error']),
  reference: sha256Text,
  paymentId: id('pay'),
  pspConfirmationId: text().nullable(),
  error: z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null>,
  executionSha256: sha256Text,
  amount: money,
  settledAt: seconds,
});
export type Receipt = Of<typeof receipt>;
export const RECEIPT = signedKind('ari-receipt+jwt', 'settlement', receipt);

/** Money that came back to the carrier. Of a kind of its own: the receipt of a refund must never pass for one of a payment. */
export const refund = record({
  iss: url,
  iat: seconds,
  jti: id('rcp'),
  refundId: id('evt'),
  paymentId: id('pay'),
  pspConfirmationId: text().nullable(),
  /** The receipt of what is given back. */
  receiptSha256: sha256Text,
  executionSha256: sha256Text,
  amount: money,
  refundedAt: seconds,
});
export type Refund = Of<typeof refund>;
export const REFUND = signedKind('ari-refund+jwt', 'settlement', refund);

/** True when the payee captures the money itself, by the token, instead of being paid at once. */
export const heldForPayee = ({ bound, captureUntil }: Pick<ExecutionToken, 'bound' | 'captureUntil'>): boolean => bound === 'max' || captureUntil !== null;
