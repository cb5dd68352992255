/** The closed mandate as a token: AP2's terminal hop, one payment signed by K_a over the mandate as presented, for one audience and one nonce. */
import { type Sha256, sha256 } from '../base/bytes.js';
import { Fault } from '../base/fault.js';
import { type Json, parseJson } from '../base/json.js';
import { type Signer, signJws, thumbprint, verifyKey } from '../base/jws.js';
import { type PublicJwk, decode, encode } from '../base/shape.js';
import { CLOSED_TYP, type ClosedPayment, type KeyBinding, type Mandate, closedPayment, keyBinding, mandate } from '../objects/mandate.js';
import type { Verified } from '../objects/signed.js';
import { conceal } from './disclosure.js';
import { Refusal } from './refusal.js';
import { type Claims, claimsOf, openHop, sdHash, splitSdJwt } from './token.js';

/** `closed_sha256`: over the closed token with its last `~`. */
export const closedHash: (token: string) => Sha256 = sha256;

/** What is closed, for whom and over which challenge. `aud`: the verifier's issuer; `nonce`: its challenge; `iat` in seconds. */
export interface Closing { mandateToken: string; closed: ClosedPayment; aud: string; nonce: Sha256; iat: number }

/**
 * Signs one payment with K_a. `salt`: 16 random bytes.
 * @returns the hop `JWT~disclosure~`; with the mandate before it, joined by `~`, it is AP2's whole presentation
 */
export function closeMandate({ mandateToken, closed, aud, nonce, iat }: Closing, agent: Signer, salt: Uint8Array): string {
  const { disclosure, reference } = conceal(encode(closedPayment, closed), salt);
  const binding: KeyBinding = { iat, aud, nonce, sdHash: sdHash(mandateToken), _sdAlg: 'sha-256', delegatePayload: [reference] };
  return `${signJws(agent, { typ: CLOSED_TYP }, encode(keyBinding, binding))}~${disclosure}~`;
}

/** Neither is optional: a closed mandate for another audience or nonce is another's payment, or an old one. */
export interface Expected { aud: string; nonce: Sha256 }
export interface OpenedClosed { readonly closed: ClosedPayment; readonly binding: KeyBinding }

/**
 * Verifies a closed mandate under the agent key that the mandate confirms. That it is for this payment is for the law.
 * @throws Fault mandate.closed
 */
export function openClosed(closedToken: string, mandateToken: string, mandate: Verified<Mandate>, expected: Expected): OpenedClosed {
  if (mandateToken !== mandate.token) throw new Fault('mandate.closed', { what: 'it is for another presentation of the mandate' });
  return openClosedOf(closedToken, sdHash(mandateToken), mandate.value.cnf.jwk, expected);
}

/**
 * The same where the mandate itself is not at hand, but its hash and key are vouched for: by an offline allowance.
 * @throws Fault mandate.closed
 */
export function openClosedOf(closedToken: string, mandateSha256: Sha256, key: PublicJwk, expected: Expected): OpenedClosed {
  return orRefused(() => openedOf(openHop(closedToken, CLOSED_TYP, mandateSha256, verifyKey(key).key, expected)));
}

/**
 * The same as whoever is to be paid presents it, with the mandate that it closes: signed by the agent key of this thumbprint, which the mandate confirms. Whose
 * mandate that is, and that the nonce was fresh, was judged before anything named either.
 * @throws Fault mandate.closed
 */
export function openPresented(closedToken: string, mandateToken: string, jkt: Sha256): OpenedClosed {
  return orRefused(() => {
    const { cnf } = decode(mandate, parseJson(splitSdJwt(mandateToken).jws.payload), 'mandate');
    if (thumbprint(cnf.jwk) !== jkt) throw new Refusal('the mandate confirms another key');
    const opened = openedOf(claimsOf(splitSdJwt(closedToken), CLOSED_TYP, verifyKey(cnf.jwk).key));
    if (opened.binding.sdHash !== sdHash(mandateToken)) throw new Refusal('sd_hash is not that of the mandate');
    return opened;
  });
}

function openedOf({ signed, disclosed }: Claims): OpenedClosed {
  const binding = decode(keyBinding, signed, 'key binding');
  const [wire, ...more] = disclosed['delegate_payload'] as Json[];
  if (more.length > 0) throw new Refusal('one closed payment is needed');
  return { closed: decode(closedPayment, wire, 'closed payment'), binding };
}

function orRefused<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof Refusal || error instanceof Fault) throw new Fault('mandate.closed', { what: error.message }, error);
    throw error;
  }
}
