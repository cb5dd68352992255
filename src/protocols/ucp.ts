/**
 * UCP checkout over REST (Universal Commerce Protocol, 2026-01-11 to 2026-04-08): `POST {base}/checkout-sessions/{id}/complete` pays.
 * The call names no amount: the payee's session does. AP2 rides on it: there the session must be signed (`ap2.merchant_authorization`).
 */
import { fault } from '../base/fault.js';
import { fromB64u, sha256, toB64u } from '../base/bytes.js';
import { canonical, type Json, parseJson } from '../base/json.js';
import { type Members, isObject, objectAt, objectsAt, readObject } from './members.js';
import { ID, operation, operationOf } from './operations.js';
import { type Answered, type Asked, assertLeft, type Dialect, headerOf, type Paying, paymentHeader, type Seal, sessionOf, type Terms } from './terms.js';

const OPERATIONS = [
  operation('GET', '\\.well-known/ucp'),
  operation('POST', 'checkout-sessions'),
  operation('GET PUT', `checkout-sessions/${ID}`),
  operation('POST', `checkout-sessions/${ID}/complete`, true),
  operation('POST', `checkout-sessions/${ID}/cancel`),
  operation('POST', 'carts'),
  operation('GET PUT', `carts/${ID}`),
  operation('POST', `carts/${ID}/cancel`),
  operation('POST', 'catalog/(?:search|lookup|product)'),
  operation('GET', `orders/${ID}`),
];
const WHAT = 'UCP checkout';
/** Headers that speak of the completing call and of no other. */
const OF_THE_CALL = ['idempotency-key', 'content-type', 'content-digest', 'signature', 'signature-input', 'signature-agent'];

/** Null: nothing is paid by it. @throws Fault intake.profile_mismatch, intake.target, intake.*, terms.credential */
export function ucpPaying(request: Asked, protocol: Dialect): Paying | null {
  const { pays, base, id } = operationOf(OPERATIONS, request);
  const said = (name: string): boolean => headerOf(request, name) !== null;
  if (said('api-version') || said('payment-signature') || said('x-payment')) throw fault('intake.profile_mismatch', { protocol, what: 'it has headers of another protocol' });
  if (!pays) return null;
  if (!said('ucp-agent')) throw fault('intake.profile_mismatch', { protocol, what: 'UCP-Agent is missing' });
  const payment = objectAt(readObject(request.body, 'complete request'), 'payment', 'complete request');
  return {
    idempotencyKey: headerOf(request, 'idempotency-key'),
    look: { method: 'GET', path: `${base}/checkout-sessions/${id}`, without: OF_THE_CALL, withBody: false },
    terms: (answer) => {
      const terms = ucpTerms(answer, id, protocol);
      assertLeft(objectsAt(payment, 'instruments', 'payment'), terms);
      return terms;
    },
    carry: (presented) => [paymentHeader(presented)],
  };
}

export function ucpTerms({ status, body }: Pick<Answered, 'status' | 'body'>, ref: string, protocol: Dialect): Terms {
  if (status !== 200) throw fault('payee.answer', { what: `status ${status} in place of the terms` });
  const session = readObject(body, WHAT, { fractions: true });
  const seal = sealOf(session);
  if (seal === null && protocol === 'ap2') throw fault('terms.unsigned', { what: 'merchant_authorization is missing' });
  const terms = sessionOf(session, { ref, body, ready: 'ready_for_complete', done: ['complete_in_progress', 'completed'], what: WHAT });
  return { ...terms, ...(seal && { sha256: seal.payloadSha256 }), seal, handlers: handlersOf(session) };
}

/** 2026-04-08: `ucp.payment_handlers`, lists by reverse-domain name. Before: `payment.handlers`. */
function handlersOf(session: Members): string[] {
  const { ucp, payment } = session;
  const registry = isObject(ucp) && isObject(ucp['payment_handlers']) ? Object.values(ucp['payment_handlers']).flat() : [];
  const earlier = isObject(payment) && Array.isArray(payment['handlers']) ? payment['handlers'] : [];
  return [...registry, ...earlier].flatMap((handler) => (isObject(handler) && typeof handler['id'] === 'string' ? [handler['id']] : []));
}

/** `merchant_authorization`: a detached JWS over JCS(checkout without `ap2`). ES256 is what every UCP verifier must know; others are refused. @throws Fault terms.unsigned */
function sealOf({ ap2, ...checkout }: Members): Seal | null {
  const token = isObject(ap2) ? ap2['merchant_authorization'] : undefined;
  if (token === undefined) return null;
  const [head = '', detached, tail = '', more] = typeof token === 'string' ? token.split('.') : [];
  const [header, signature] = [fromB64u(head), fromB64u(tail)];
  const members: Json = header === null || header.length === 0 ? null : parseJson(header);
  const good = detached === '' && more === undefined && signature?.length === 64 && isObject(members) && members['alg'] === 'ES256' && members['crit'] === undefined && typeof members['kid'] === 'string';
  if (!good) throw fault('terms.unsigned', { what: 'merchant_authorization is no detached ES256 signature' });
  const payload = Buffer.from(canonical(checkout));
  return { kid: members['kid'] as string, payloadSha256: sha256(payload), signed: `${head}.${toB64u(payload)}`, signature };
}
