/** From an agent's native request to the intent that is proven: what was asked, normalised, and nothing that was not asked. */
import { hashJson } from '../../src/base/json.js';
import { encode, hashOf } from '../../src/base/shape.js';
import { toB64u } from '../../src/base/bytes.js';
import { money } from '../../src/money.js';
import { type Intent, type PaymentRequest, payee, paymentRequest } from '../../src/objects/intent.js';
import type { ClosedPayment } from '../../src/objects/mandate.js';
import { CARRIER_INSTRUMENT, CLOSED_PAYMENT_VCT } from '../../src/objects/mandate.js';
import type { Sha256 } from '../../src/base/bytes.js';
import type { PayeeOrder } from '../ports.js';

/** Life of a request, s: the ten minutes a user has to confirm, and time to ask again after it. */
const INTENT_LIFE_S = 900;

/** Grade C: payee and amount are the agent's word. The carrier's payee list and the exact amount of the token bound what that word can do. */
export function intentOf(request: PaymentRequest, carrierId: string | null, idempotencyKey: string, nowS: number, salt: Uint8Array): Intent {
  const terms = request.order.terms ?? { ref: request.order.ref, payee: encode(payee, request.payee), amount: encode(money, request.amount) };
  return {
    v: 'ari-intent-1',
    salt: toB64u(salt),
    protocol: 'native',
    payee: request.payee,
    amount: request.amount,
    bound: request.bound,
    captureUntil: request.captureUntil,
    grade: 'C',
    scenario: request.scenario,
    order: { ref: request.order.ref, termsSha256: hashJson(terms) },
    request: null,
    taskId: request.taskId,
    carrierId,
    idempotencyKey,
    expiresAt: nowS + INTENT_LIFE_S,
  };
}

/** Grade A or B: payee, amount and terms are the payee's own word, and what is reserved waits for the payee's capture. */
export function orderedIntentOf(order: PayeeOrder, carrierId: string | null, idempotencyKey: string, nowS: number, salt: Uint8Array): Intent {
  const { protocol, grade, termsSha256, request, expiresAt } = order;
  const plain = intentOf(requestOf(order), carrierId, idempotencyKey, nowS, salt);
  return { ...plain, protocol, grade, order: { ref: order.ref, termsSha256 }, request, expiresAt: Math.min(plain.expiresAt, expiresAt ?? plain.expiresAt) };
}

/** An order in the form in which a native request asks. */
export const requestOf = ({ payee, amount, captureUntil, ref, taskId, mandateId }: PayeeOrder): PaymentRequest =>
  ({ payee, amount, bound: 'exact', captureUntil, scenario: null, order: { ref, terms: null }, taskId, mandateId });

/** What decides whether a repeated idempotency key means the same request. */
export const requestHash = (request: PaymentRequest): Sha256 => hashOf(paymentRequest, request);

/** The AP2 closed payment mandate of an intent. @param nowS start of its life; it ends with the nonce, at most 120 s later */
export function closedPaymentOf(intent: Intent, carrierId: string, paymentSha256: Sha256, nowS: number): ClosedPayment {
  const { id, name, origin } = intent.payee;
  return {
    vct: CLOSED_PAYMENT_VCT,
    transactionId: intent.order.termsSha256,
    payee: { id, name: name ?? id, ...(origin === null ? {} : { website: origin }) },
    paymentAmount: intent.amount,
    paymentInstrument: { id: carrierId, type: CARRIER_INSTRUMENT },
    riskData: { ari: { paymentSha256 } },
    iat: nowS,
    exp: nowS + 120,
  };
}
