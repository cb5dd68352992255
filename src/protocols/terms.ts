/** What a payee asks for, in the payee's own words: read from the bytes that it answered, never from what an agent says of them. */
import { type Sha256, sha256 } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import type { Protocol } from '../names.js';
import { exponent, type Money } from '../money.js';
import { type Members, objectsAt, textAt } from './members.js';

export type Dialect = Extract<Protocol, 'ucp' | 'acp' | 'ap2' | 'x402'>;

/** A detached signature over the terms, not yet verified: the key has to be looked up at the payee. It may be made anew for each answer: what it covers does not change. */
export interface Seal { readonly kid: string; readonly payloadSha256: Sha256; readonly signed: string; readonly signature: Buffer }

export interface Terms {
  /** The order, as its payee names it. */
  readonly ref: string;
  readonly amount: Money;
  /** Over the payee's own bytes, or what it signed of them: this is what the user confirms and the TPM signs. */
  readonly sha256: Sha256;
  /** Seconds; null: the payee does not say. */
  readonly expiresAt: number | null;
  /** `ready`: it may be paid. `done`: it was paid, or is being paid. */
  readonly state: 'ready' | 'done' | 'other';
  readonly seal: Seal | null;
  readonly handlers: readonly string[];
}

/** What a request to a payee is. Header names are lower case; values of a header that came twice are two members. */
export interface Asked { readonly method: string; readonly path: string; readonly headers: readonly (readonly [string, string])[]; readonly body: Buffer }
export interface Answered { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body: Buffer }

/** What a payee needs to capture: the execution token, and the mandate that was closed for this payment. */
export interface Presented { readonly execution: string; readonly mandate: string; readonly closedMandate: string }

/** A request that pays. */
export interface Paying {
  /** Null: the agent named none, and the payment is refused. */
  readonly idempotencyKey: string | null;
  /** How the payee is asked for its terms: with the agent's own headers but these, and with its body or without. */
  readonly look: { readonly method: string; readonly path: string; readonly without: readonly string[]; readonly withBody: boolean };
  /** @returns null when the payee asks for nothing: its answer is the answer */
  readonly terms: (answer: Answered) => Terms | null;
  /** Headers that carry the payment; they take the place of those of the same name. */
  readonly carry: (presented: Presented) => readonly (readonly [string, string])[];
}

/** The one value of a header; null when it is absent. @throws Fault intake.malformed when it came twice */
export function headerOf({ headers }: Pick<Asked, 'headers'>, name: string): string | null {
  const [value, second] = headers.filter(([known]) => known === name).map(([, one]) => one);
  if (second !== undefined) throw fault('intake.malformed', { what: `header ${name} came twice` });
  return value ?? null;
}

/** The amount due: the one row of type `total`. Currency in either case, an amount of more than nothing. @throws Fault money.* */
export function totalOf(session: Members, what: string): Money {
  const totals = objectsAt(session, 'totals', what).filter(({ type }) => type === 'total');
  const [row] = totals;
  if (row === undefined || totals.length > 1) throw fault('money.total_ambiguous', { count: totals.length });
  const { amount } = row;
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount <= 0) throw fault('money.not_integer', { value: JSON.stringify(amount ?? null).slice(0, 40) });
  const currency = textAt(session, 'currency', what).toUpperCase();
  exponent(currency);
  return { amount: BigInt(amount), currency };
}

/** RFC 3339 to seconds. @throws Fault intake.malformed */
export function expiryOf(session: Members, what: string): number | null {
  const text = session['expires_at'] ?? null;
  if (text === null) return null;
  const ms = typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isSafeInteger(ms)) throw fault('intake.malformed', { what: `${what}: expires_at is no RFC 3339 time` });
  return Math.floor(ms / 1000);
}

/** The session of a checkout, which must be the one that was asked for. */
export function sessionOf(session: Members, { ref, body, ready, done, what }: { ref: string; body: Buffer; ready: string; done: readonly string[]; what: string }): Omit<Terms, 'seal' | 'handlers'> {
  if (textAt(session, 'id', what) !== ref) throw fault('terms.other', { asked: ref.slice(0, 64) });
  const status = textAt(session, 'status', what);
  const state = status === ready ? 'ready' : done.includes(status) ? 'done' : 'other';
  return { ref, amount: totalOf(session, what), sha256: sha256(body), expiresAt: expiryOf(session, what), state };
}

/** What was agreed to still stands: the same bytes, or the same money in an order that was closed meanwhile, which only a retry sees. */
export const stillStands = (agreed: { sha256: Sha256; amount: Money }, now: Terms): boolean =>
  now.sha256 === agreed.sha256 || (now.state === 'done' && now.amount.amount === agreed.amount.amount && now.amount.currency === agreed.amount.currency);

/** The header that carries a payment beside a body that must not change: an RFC 9651 dictionary of strings. */
export const PAYMENT_HEADER = 'ari-payment';
/** The type of credential that says: the payment is in the header. */
export const CREDENTIAL_TYPE = 'ari.execution';
export const paymentHeader = ({ execution, mandate, closedMandate }: Presented): readonly [string, string] => [PAYMENT_HEADER, `execution="${execution}", mandate="${mandate}", closed="${closedMandate}"`];

/** The instrument of a completing call must leave the payment to the sidecar, through a handler that the payee offers. @throws Fault terms.credential */
export function assertLeft(instruments: readonly Members[], { handlers }: Terms): void {
  const [one] = instruments;
  const credential = one?.['credential'];
  const left = instruments.length === 1 && typeof credential === 'object' && credential !== null && !Array.isArray(credential) && credential['type'] === CREDENTIAL_TYPE;
  if (!left) throw fault('terms.credential', { what: `one instrument with a credential of type ${CREDENTIAL_TYPE} is needed` });
  const handler = one?.['handler_id'];
  if (typeof handler !== 'string' || !handlers.includes(handler)) throw fault('terms.credential', { what: 'the payee does not offer this handler' });
}
