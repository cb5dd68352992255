/** The mandate as a token: an SD-JWT signed by the user, with the AP2 open payment mandate as its one disclosure. */
import { type Sha256, sha256 } from '../base/bytes.js';
import { Fault, fault } from '../base/fault.js';
import type { Json } from '../base/json.js';
import { type Signer, signJws, thumbprint } from '../base/jws.js';
import { decode, encode } from '../base/shape.js';
import { CONSTRAINT_TYPES, MANDATE_TYP, MANDATE_VCT, type Mandate, type OpenPayment, mandate as mandateShape, openPayment } from '../objects/mandate.js';
import { type KeyFinder, type Verified, verified } from '../objects/signed.js';
import { Opened } from '../objects/opened.js';
import { conceal } from './disclosure.js';
import { BadSignature, Refusal } from './refusal.js';
import { claimsOf, splitSdJwt } from './token.js';

export interface OpenedMandate { readonly mandate: Verified<Mandate>; readonly open: OpenPayment }

/** `mandate_sha256`, AP2's `sd_hash`: over the presented token with its last `~`. */
export const mandateHash: (token: string) => Sha256 = sha256;

/** Signs a mandate as its user. `salt`: 16 random bytes. @returns `JWT~disclosure~` */
export function issueMandate(value: Omit<Mandate, 'delegatePayload' | '_sdAlg' | 'vct'>, open: OpenPayment, signer: Signer, salt: Uint8Array): string {
  const { disclosure, reference } = conceal(encode(openPayment, open), salt);
  const whole: Mandate = { ...value, vct: MANDATE_VCT, delegatePayload: [reference], _sdAlg: 'sha-256' };
  return `${signJws(signer, { typ: MANDATE_TYP }, encode(mandateShape, whole))}~${disclosure}~`;
}

const opened = new Opened<OpenedMandate>();

/**
 * Verifies a mandate's signature and form. Its life, its agent and its bounds are for the law; that the key belongs to the user in `sub` is for `keys`,
 * which must find keys of that user only.
 * @throws Fault mandate.signature, mandate.malformed, mandate.constraint_unknown
 */
export function openMandate(token: string, keys: KeyFinder): OpenedMandate {
  const known = opened.find(token, 'user', keys);
  if (known !== undefined) return known;
  const split = orMalformed(() => splitSdJwt(token));
  const signer = keys('user', split.jws.kid);
  if (signer === undefined) throw fault('mandate.signature');
  const { signed, disclosed } = orMalformed(() => claimsOf(split, MANDATE_TYP, signer.key));
  const value = orMalformed(() => decode(mandateShape, signed, 'mandate'));
  const open = openPaymentOf(disclosed['delegate_payload'] as Json[]);
  if (thumbprint(open.cnf.jwk) !== thumbprint(value.cnf.jwk)) throw fault('mandate.malformed', { what: 'mandate and open payment name different agent keys' });
  return opened.keep(token, signer, { mandate: verified(value, token, signer), open }, value, open);
}

/** The AP2 part. A constraint that is unknown here would be one that is not enforced: it refuses the mandate, as AP2 demands. */
function openPaymentOf(delegated: Json[]): OpenPayment {
  if (delegated.length !== 1) throw fault('mandate.malformed', { what: 'one open payment mandate is needed' });
  const [wire] = delegated as [{ constraints?: Json } | null];
  const constraints = Array.isArray(wire?.constraints) ? wire.constraints : [];
  const unknown = (constraints as ({ type?: Json } | null)[]).find((one) => !CONSTRAINT_TYPES.some((known) => known === one?.type));
  if (unknown !== undefined) throw fault('mandate.constraint_unknown', { type: typeof unknown?.type === 'string' ? unknown.type.slice(0, 64) : 'without a name' });
  return orMalformed(() => decode(openPayment, wire, 'open payment'));
}

function orMalformed<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof BadSignature) throw fault('mandate.signature');
    if (error instanceof Refusal || error instanceof Fault) throw new Fault('mandate.malformed', { what: error.message }, error);
    throw error;
  }
}
