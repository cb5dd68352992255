/**
 * The mandate: A2P2's task delegation credential. An SD-JWT (RFC 9901) signed by the user that holds an AP2 open payment mandate and names K_a, the
 * agent's payment key. A closed mandate is the key-bound presentation K_a signs for one payment. Wire handling: src/sdjwt.
 */
import { z } from 'zod';
import { type Of, id, name, publicJwk, record, seconds, sha256Text, text, url } from '../base/shape.js';
import { currency, minor } from '../money.js';
import { LEVELS, MODES, NS } from '../names.js';
import { statusReference } from './status.js';

export const MANDATE_VCT = `${NS}mandate:1`;
export const MANDATE_TYP = 'dc+sd-jwt';
export const CLOSED_TYP = 'kb+sd-jwt';
export const OPEN_PAYMENT_VCT = 'mandate.payment.open.1';
export const CLOSED_PAYMENT_VCT = 'mandate.payment.1';
/** The instrument type under which a carrier appears in an AP2 mandate. */
export const CARRIER_INSTRUMENT = 'ari.fund_carrier';

export const digestReference = z.array(z.strictObject({ '...': sha256Text })).max(4);

export const mandate = record({
  iss: z.string().min(1).max(2048),
  vct: z.literal(MANDATE_VCT),
  jti: id('mnd'),
  sub: id('usr'),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  cnf: record({ jwk: publicJwk }),
  agent: record({ id: name(), version: name(64), manifestSha256: sha256Text }),
  level: z.enum(LEVELS),
  mode: z.enum(MODES),
  task: record({ id: name().nullable(), summary: text(1024), textSha256: sha256Text.nullable(), maxPayments: z.int().min(1).nullable() }),
  carrier: record({ id: id('crr'), rulesSha256: sha256Text }),
  status: statusReference.optional(),
  delegatePayload: digestReference,
  _sdAlg: z.literal('sha-256'),
});
export type Mandate = Of<typeof mandate>;

/** AP2 constraints (v0.2) that are understood here. An unknown type refuses the mandate: AP2 demands it. */
export const constraint = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('payment.amount_range'), currency, min: minor.optional(), max: minor }),
  z.strictObject({ type: z.literal('payment.allowed_payees'), allowed: z.array(z.strictObject({ id: name(256), name: text(), website: url.optional() })).max(1024) }),
  z.strictObject({ type: z.literal('payment.allowed_payment_instruments'), allowed: z.array(z.strictObject({ id: text(), type: text(), description: text().optional() })).max(64) }),
  z.strictObject({ type: z.literal('payment.execution_date'), not_before: text(64).optional(), not_after: text(64).optional() }),
  z.strictObject({ type: z.literal('payment.reference'), conditional_transaction_id: sha256Text }),
]);
export type Constraint = z.output<typeof constraint>;
export const CONSTRAINT_TYPES = ['payment.amount_range', 'payment.allowed_payees', 'payment.allowed_payment_instruments', 'payment.execution_date', 'payment.reference'] as const;

export const openPayment = record({ vct: z.literal(OPEN_PAYMENT_VCT), constraints: z.array(constraint).min(1).max(32), cnf: record({ jwk: publicJwk }), iat: seconds, exp: seconds });
export type OpenPayment = Of<typeof openPayment>;

const ap2Amount = record({ amount: minor, currency });
/** AP2 closed payment mandate. `transaction_id` = the order's terms hash; `risk_data.ari.payment_sha256` ties it to the intent. */
export const closedPayment = record({
  vct: z.literal(CLOSED_PAYMENT_VCT),
  transactionId: sha256Text,
  payee: z.strictObject({ id: name(256), name: text(), website: url.optional() }),
  paymentAmount: ap2Amount,
  paymentInstrument: z.strictObject({ id: id('crr'), type: z.literal(CARRIER_INSTRUMENT) }),
  riskData: z.strictObject({ ari: record({ paymentSha256: sha256Text }) }),
  iat: seconds,
  exp: seconds,
});
export type ClosedPayment = Of<typeof closedPayment>;

/** The key-binding JWT K_a signs. `sd_hash` covers the presented mandate including its last `~`. */
export const keyBinding = record({ iat: seconds, aud: url, nonce: sha256Text, sdHash: sha256Text, _sdAlg: z.literal('sha-256'), delegatePayload: digestReference });
export type KeyBinding = Of<typeof keyBinding>;
