/**
 * ACP, the Agentic Commerce Protocol of OpenAI and Stripe (2025-09-29 to 2026-04-17): `POST {base}/checkout_sessions/{id}/complete` pays.
 * `delegate_payment` goes from an agent to a payment service provider and hands over a card: it is no operation here.
 */
import { fault } from '../base/fault.js';
import { type Members, isObject, objectAt, readObject } from './members.js';
import { ID, operation, operationOf } from './operations.js';
import { type Answered, type Asked, assertLeft, headerOf, type Paying, paymentHeader, sessionOf, type Terms } from './terms.js';

const OPERATIONS = [
  operation('GET', '\\.well-known/acp\\.json'),
  operation('POST', 'checkout_sessions'),
  operation('GET POST', `checkout_sessions/${ID}`),
  operation('POST', `checkout_sessions/${ID}/complete`, true),
  operation('POST', `checkout_sessions/${ID}/cancel`),
  operation('POST', 'carts'),
  operation('GET POST', `carts/${ID}`),
];
const WHAT = 'ACP checkout session';
/** Headers that speak of the completing call and of no other. */
const OF_THE_CALL = ['idempotency-key', 'content-type', 'content-digest', 'signature', 'signature-input', 'timestamp'];

/** Null: nothing is paid by it. @throws Fault intake.profile_mismatch, intake.target, intake.*, terms.credential */
export function acpPaying(request: Asked): Paying | null {
  const { pays, base, id } = operationOf(OPERATIONS, request);
  const said = (name: string): boolean => headerOf(request, name) !== null;
  if (said('ucp-agent') || said('payment-signature') || said('x-payment')) throw fault('intake.profile_mismatch', { protocol: 'acp', what: 'it has headers of another protocol' });
  if (!pays) return null;
  if (!said('api-version')) throw fault('intake.profile_mismatch', { protocol: 'acp', what: 'API-Version is missing' });
  const payment = objectAt(readObject(request.body, 'complete request'), 'payment_data', 'complete request');
  return {
    idempotencyKey: headerOf(request, 'idempotency-key'),
    look: { method: 'GET', path: `${base}/checkout_sessions/${id}`, without: OF_THE_CALL, withBody: false },
    terms: (answer) => {
      const terms = acpTerms(answer, id);
      assertLeft([{ ...objectAt(payment, 'instrument', 'payment_data'), handler_id: payment['handler_id'] ?? null }], terms);
      return terms;
    },
    carry: (presented) => [paymentHeader(presented)],
  };
}

export function acpTerms({ status, body }: Pick<Answered, 'status' | 'body'>, ref: string): Terms {
  if (status !== 200) throw fault('payee.answer', { what: `status ${status} in place of the terms` });
  const session = readObject(body, WHAT, { fractions: true });
  return { ...sessionOf(session, { ref, body, ready: 'ready_for_payment', done: ['complete_in_progress', 'completed'], what: WHAT }), seal: null, handlers: handlersOf(session) };
}

function handlersOf({ capabilities }: Members): string[] {
  const payment = isObject(capabilities) ? capabilities['payment'] : undefined;
  const handlers = isObject(payment) && Array.isArray(payment['handlers']) ? payment['handlers'] : [];
  return handlers.flatMap((handler) => (isObject(handler) && typeof handler['id'] === 'string' ? [handler['id']] : []));
}
