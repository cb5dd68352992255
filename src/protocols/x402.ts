/**
 * x402 version 2 over HTTP, with a fund carrier in the place of a chain: scheme `exact`, network `ari:...`, asset an ISO 4217 code, amount in minor
 * units. A request that bears `PAYMENT-SIGNATURE` pays. The agent leaves `payload` empty; the sidecar, which is the wallet, fills it.
 */
import { fault } from '../base/fault.js';
import { canonical, hashJson, type Json, parseJson } from '../base/json.js';
import { exponent, type Money } from '../money.js';
import { type Members, isObject, objectAt, objectsAt, textAt } from './members.js';
import { type Answered, type Asked, headerOf, type Paying, type Terms } from './terms.js';

const PAYMENT = 'payment-signature';
const REQUIRED = 'payment-required';
const NETWORK = /^ari:[-_a-zA-Z0-9.]{1,64}$/;
const IDENTIFIER = 'payment-identifier';

/** Of UCP and ACP: under the name of x402 their completing calls would pass by the gate. */
const CHECKOUT = /\/checkout[-_]sessions?(?:\/|$|\?)/i;

/** Null: nothing is paid by it. @throws Fault intake.profile_mismatch, intake.*, terms.* */
export function x402Paying(request: Asked, url: string): Paying | null {
  const said = (name: string): boolean => headerOf(request, name) !== null;
  if (said('x-payment') || said('ucp-agent') || said('api-version')) throw fault('intake.profile_mismatch', { protocol: 'x402', what: 'it has headers of version 1 or of another protocol' });
  if (CHECKOUT.test(request.path)) throw fault('intake.profile_mismatch', { protocol: 'x402', what: 'its path is of a checkout protocol' });
  const header = headerOf(request, PAYMENT);
  if (header === null) return null;
  const payment = readHeader(header, PAYMENT);
  if (Object.keys(objectAt(payment, 'payload', PAYMENT)).length > 0) throw fault('terms.credential', { what: 'payload must be left empty for the sidecar' });
  return {
    idempotencyKey: identifierOf(payment) ?? headerOf(request, 'idempotency-key'),
    look: { method: request.method, path: request.path, without: [PAYMENT], withBody: true },
    terms: (answer) => x402Terms(answer, payment, url),
    carry: ({ execution, mandate, closedMandate }) => [[PAYMENT, writeHeader({ ...payment, payload: { execution_token: execution, mandate, closed_mandate: closedMandate } })]],
  };
}

/** The requirement that the agent accepted, which must be one that the payee offers at this moment. Null when the payee asks for no payment. */
export function x402Terms(answer: Pick<Answered, 'status' | 'headers'>, payment: Members, url: string): Terms | null {
  if (answer.status !== 402) return null;
  const offer = readHeader(headerOf(answer, REQUIRED) ?? '', REQUIRED);
  const accepted = canonical(objectAt(payment, 'accepted', PAYMENT));
  const requirement = objectsAt(offer, 'accepts', REQUIRED).find((one) => canonical(one) === accepted);
  if (requirement === undefined) throw fault('terms.other', { asked: 'what the agent accepted' });
  if (textAt(objectAt(offer, 'resource', REQUIRED), 'url', REQUIRED) !== url) throw fault('terms.other', { asked: url.slice(0, 64) });
  assertKept(offer, payment);
  return { ref: identifierOf(payment) ?? hashJson({ url, requirement }), amount: priceOf(requirement), sha256: hashJson({ url, requirement }), expiresAt: null, state: 'ready', seal: null, handlers: [] };
}

function priceOf(requirement: Members): Money {
  const [scheme, network, payTo] = ['scheme', 'network', 'payTo'].map((name) => textAt(requirement, name, 'requirement'));
  if (scheme !== 'exact' || !NETWORK.test(network ?? '') || payTo !== 'merchant') throw fault('terms.credential', { what: 'only scheme exact on a network of a fund carrier, paid to "merchant", is paid' });
  const [amount, currency] = [textAt(requirement, 'amount', 'requirement'), textAt(requirement, 'asset', 'requirement')];
  exponent(currency);
  if (!/^[1-9][0-9]{0,15}$/.test(amount) || !Number.isSafeInteger(Number(amount))) throw fault('money.not_integer', { value: amount.slice(0, 40) });
  return { amount: BigInt(amount), currency };
}

/** "The client must include at least the info received; it may append, but not delete or overwrite." @throws Fault terms.other */
function assertKept(offer: Members, payment: Members): void {
  const [asked, echoed] = [offer['extensions'] ?? {}, payment['extensions'] ?? {}];
  if (!isObject(asked) || !isObject(echoed)) throw fault('intake.malformed', { what: 'extensions is no object' });
  for (const [name, extension] of Object.entries(asked)) {
    const own = echoed[name];
    const [info, said] = [isObject(extension) ? extension['info'] : undefined, isObject(own) ? own['info'] : undefined];
    const kept = isObject(info) && isObject(said) && Object.entries(info).every(([key, value]) => said[key] !== undefined && canonical(said[key]) === canonical(value));
    if (!kept) throw fault('terms.other', { asked: `extension ${name.slice(0, 48)}` });
  }
}

function identifierOf({ extensions }: Members): string | null {
  const extension = isObject(extensions) ? extensions[IDENTIFIER] : undefined;
  const info = isObject(extension) ? extension['info'] : undefined;
  const id = isObject(info) ? info['id'] : undefined;
  if (id === undefined) return null;
  if (typeof id !== 'string' || !/^[A-Za-z0-9_-]{16,128}$/.test(id)) throw fault('intake.malformed', { what: `${IDENTIFIER}: id` });
  return id;
}

/** base64 of strict JSON. @throws Fault intake.malformed, intake.json_ambiguous */
function readHeader(text: string, name: string): Members {
  const value: Json = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? parseJson(Buffer.from(text, 'base64')) : null;
  if (!isObject(value) || value['x402Version'] !== 2) throw fault('intake.malformed', { what: `${name} is no base64 of an x402 version 2 object` });
  return value;
}

export const writeHeader = (value: Members): string => Buffer.from(canonical(value)).toString('base64');
