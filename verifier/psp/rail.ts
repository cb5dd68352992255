/** The rail to a payment service provider over HTTP. Whatever is not a good answer of the provider itself is no answer: the outcome is then asked for, later. */
import { fault } from '../../src/base/fault.js';
import { type Signer, type VerifyKey } from '../../src/base/jws.js';
import { open, seal, tokenHash } from '../../src/objects/signed.js';
import type { Rail, RailAnswer, RailOrder } from '../rail.js';
import { PSP_ANSWER, PSP_MEDIA_TYPE, PSP_ORDER, PSP_PATH, type PspOrder } from './messages.js';

const ANSWER_BYTES = 16_384;
const DEADLINE_MS = 10_000;
const ORDER_LIFE_S = 60;

/** `signer`: the settlement role's key. `provider`: the provider's public key. */
export interface PspPorts { readonly url: string; readonly issuer: string; readonly signer: Signer; readonly provider: VerifyKey; readonly now: () => number; readonly deadlineMs?: number }

export function pspRail(on: PspPorts): Rail {
  return { name: 'http', within: false, pay: (order) => ask(on, 'pay', order), query: (order) => ask(on, 'query', order) };
}

/** @throws Fault link.protocol, token.*, or what the network throws: all of them mean that the outcome is not known */
async function ask(on: PspPorts, what: PspOrder['ask'], order: RailOrder): Promise<RailAnswer> {
  const iat = Math.floor(on.now() / 1000);
  const token = seal(PSP_ORDER, { iss: on.issuer, aud: on.url, iat, exp: iat + ORDER_LIFE_S, ask: what, ...order }, on.signer);
  const { value } = open(PSP_ANSWER, await post(on, order.id, token), (_, kid) => (kid === on.provider.kid ? on.provider : undefined));
  if (value.orderSha256 !== tokenHash(token)) throw fault('link.protocol', { what: 'an answer to another order' });
  return value.outcome === 'settled' ? { outcome: 'settled', reference: value.reference } : { outcome: value.outcome };
}

async function post({ url, deadlineMs = DEADLINE_MS }: PspPorts, idempotencyKey: string, body: string): Promise<string> {
  const response = await fetch(new URL(PSP_PATH, url.endsWith('/') ? url : `${url}/`), {
    method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(deadlineMs),
    headers: { 'content-type': PSP_MEDIA_TYPE, accept: PSP_MEDIA_TYPE, 'idempotency-key': idempotencyKey },
  });
  if (response.status !== 200 || response.headers.get('content-type') !== PSP_MEDIA_TYPE) throw fault('link.protocol', { what: `HTTP status ${response.status} where a signed answer must be` });
  return read(response);
}

/** The provider is a stranger until its signature is checked: it does not fill our memory. */
async function read({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += (part as Uint8Array).length;
    if (size > ANSWER_BYTES) throw fault('intake.too_large', { size, max: ANSWER_BYTES });
    parts.push(part as Uint8Array);
  }
  return Buffer.concat(parts).toString('latin1');
}
