/**
 * The outer form of an SD-JWT: `JWT ~ disclosure ~ ... ~`, and the hop that AP2 appends to it.
 *
 * A chain is its tokens joined by `~`. Each ends in `~`, so hops stand apart by `~~`. Everything here is parsed before any signature is verified.
 */
import type { KeyObject } from 'node:crypto';
import { type Sha256, sha256 } from '../base/bytes.js';
import { type Json, parseJson } from '../base/json.js';
import { type UnverifiedJws, splitJws, verifyJws } from '../base/jws.js';
import { discloseAll } from './disclosure.js';
import { BadSignature, Refusal } from './refusal.js';

/** More disclosures than any mandate here has; each costs a hash before the signature is known to be good. */
const MAX_DISCLOSURES = 64;

export interface SplitSdJwt { readonly jws: UnverifiedJws; readonly disclosures: string[] }

/** @throws Refusal, or a fault of the compact JWS */
export function splitSdJwt(token: string): SplitSdJwt {
  const [jwt = '', ...rest] = token.split('~');
  if (rest.pop() !== '') throw new Refusal('an SD-JWT ends in "~"');
  if (rest.length > MAX_DISCLOSURES) throw new Refusal(`more than ${MAX_DISCLOSURES} disclosures`);
  return { jws: splitJws(jwt), disclosures: rest };
}

/** What a verified token holds: its payload as signed, and the same with each digest replaced by what it discloses. */
export interface Claims { readonly signed: { [name: string]: Json }; readonly disclosed: { [name: string]: Json } }

/**
 * The claims behind a signature.
 * @throws Refusal when type, signature, digest algorithm or any disclosure is wrong
 */
export function claimsOf({ jws, disclosures }: SplitSdJwt, typ: string, key: KeyObject): Claims {
  if (jws.typ !== typ) throw new Refusal(`typ is ${jws.typ.slice(0, 32)}, ${typ} was needed`);
  if (!verifyJws(jws, key)) throw new BadSignature('the signature is wrong');
  const signed = parseJson(jws.payload);
  if (typeof signed !== 'object' || signed === null || Array.isArray(signed)) throw new Refusal('the payload is no object');
  if (signed['_sd_alg'] !== 'sha-256') throw new Refusal('_sd_alg must be sha-256');
  return { signed, disclosed: discloseAll(signed, disclosures) as Claims['disclosed'] };
}

/** The hash by which a hop names the token before it: over the presentation with its last `~`. */
export const sdHash = sha256;

/**
 * A hop: signed by the key that the token before it confirms, over that token as presented, for one audience and one nonce.
 * AP2's alternative `issuer_jwt_hash` would let a holder redact what the user signed; it is refused because it has no `sd_hash`.
 * @throws Refusal
 */
export function openHop(token: string, typ: string, previousSha256: Sha256, key: KeyObject, expected: { aud: string; nonce: string }): Claims {
  const claims = claimsOf(splitSdJwt(token), typ, key);
  if (claims.signed['sd_hash'] !== previousSha256) throw new Refusal('sd_hash is not that of the mandate');
  if (claims.signed['aud'] !== expected.aud) throw new Refusal('it is for another audience');
  if (claims.signed['nonce'] !== expected.nonce) throw new Refusal('it is for another nonce');
  return claims;
}
