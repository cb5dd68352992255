/** What the agent asks for, normalised: the same object for every payment protocol. Its hash is bound by the TPM. */
import { z } from 'zod';
import { type Of, b64u, hashOf, id, name, record, seconds, sha256Text, text, url } from '../base/shape.js';
import type { Sha256 } from '../base/bytes.js';
import { money } from '../money.js';
import { BOUNDS, GRADES, PROTOCOLS } from '../names.js';

export const payee = record({ id: name(256), origin: url.nullable(), name: text().nullable() });
export type Payee = Of<typeof payee>;

/** Intent, `v: "ari-intent-1"`. `salt` makes the hash unguessable, `scenario` is what the request claims: the directory decides. */
export const intent = record({
  v: z.literal('ari-intent-1'),
  salt: b64u(16),
  protocol: z.enum(PROTOCOLS),
  payee,
  amount: money,
  bound: z.enum(BOUNDS),
  grade: z.enum(GRADES),
  scenario: name().nullable(),
  order: record({ ref: text(), termsSha256: sha256Text }),
  request: record({ method: z.string().max(16), url, bodySha256: sha256Text }).nullable(),
  taskId: name().nullable(),
  /** Null when the device has no mandate to pay with: such a request is refused, and deposited as refused. */
  carrierId: id('crr').nullable(),
  /** Until when the payee may capture what is reserved; null: it is paid at once. */
  captureUntil: seconds.nullable(),
  idempotencyKey: text(255),
  expiresAt: seconds,
});
export type Intent = Of<typeof intent>;

/** `payment_sha256`. */
export const paymentHash = (value: Intent): Sha256 => hashOf(intent, value);

/**
 * The native request of an agent, `POST /v1/payments`. Amount in minor units. With `bound: "max"` or `capture_until` (a hotel, a watched price) nothing is
 * paid at once: the payee captures with the execution token, up to the amount, until then.
 */
export const paymentRequest = record({
  payee: record({ id: name(256), origin: url.nullable().default(null), name: text().nullable().default(null) }),
  amount: money,
  bound: z.enum(BOUNDS).default('exact'),
  captureUntil: seconds.nullable().default(null),
  scenario: name().nullable().default(null),
  order: record({ ref: text(), terms: z.json().default(null) }),
  taskId: name().nullable().default(null),
  mandateId: id('mnd').nullable().default(null),
});
export type PaymentRequest = Of<typeof paymentRequest>;
