/**
 * What this verifier and a payment service provider say to each other: a signed order, and an answer signed over exactly that order. TLS alone would let
 * whoever ends it (a proxy, a hoster) tell us that money moved.
 */
import { z } from 'zod';
import { type Of, id, record, seconds, sha256Text, text, url } from '../../src/base/shape.js';
import { money } from '../../src/money.js';
import { payee } from '../../src/objects/intent.js';
import { signedKind } from '../../src/objects/signed.js';

/**
 * `ask: "pay"` moves the money once for an `id`; said again, it is answered as it ended. `ask: "query"` asks how an `id` ended and moves nothing: a
 * provider that never heard of it answers `declined`, and from then on declines it.
 */
export const pspOrder = record({
  iss: url,
  aud: url,
  iat: seconds,
  exp: seconds,
  ask: z.enum(['pay', 'query']),
  kind: z.enum(['payment', 'refund']),
  id: text(64),
  paymentId: id('pay'),
  amount: money,
  payee,
  account: text(),
});
export type PspOrder = Of<typeof pspOrder>;
export const PSP_ORDER = signedKind('ari-psp-order+jwt', 'settlement', pspOrder);

/** `unknown`: not ended yet. `order_sha256` names the order token, so that no answer to another question can be played back. */
export const pspAnswer = record({ iat: seconds, orderSha256: sha256Text, outcome: z.enum(['settled', 'declined', 'unknown']), reference: text().nullable() });
export type PspAnswer = Of<typeof pspAnswer>;
export const PSP_ANSWER = signedKind('ari-psp-answer+jwt', 'settlement', pspAnswer);

export const PSP_MEDIA_TYPE = 'application/jose';
export const PSP_PATH = 'v1/orders';
