/**
 * Signed objects: one row per `typ`, saying which role signs it and what it holds. A value of type {@link Verified} can only come from {@link open},
 * which has checked signature, type and role: nothing unsigned is reachable by type.
 */
import { sha256, type Sha256 } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { parseJson } from '../base/json.js';
import { type Signer, type VerifyKey, signJws, splitJws, verifyJws } from '../base/jws.js';
import { type Shape, decode, encode } from '../base/shape.js';
import type { Role } from '../names.js';
import { Opened } from './opened.js';

/** A kind of signed object. */
export interface SignedKind<T> { readonly typ: string; readonly role: Role; readonly shape: Shape<T> }

declare const proven: unique symbol;
/** A value whose signature was verified, with the token exactly as signed. */
export interface Verified<T> { readonly [proven]: true; readonly value: T; readonly token: string; readonly sha256: Sha256; readonly signer: VerifyKey }

/** Finds the public key for a key id of a role; undefined when no trusted key of that role has it. */
export type KeyFinder = (role: Role, kid: string) => VerifyKey | undefined;

export const signedKind = <T>(typ: string, role: Role, shape: Shape<T>): SignedKind<T> => ({ typ, role, shape });

/** Of a payload. Its signature was checked before it is read; the longest is the manifest of an agent of some 30,000 files. */
export const SIGNED_BYTES = 4_194_304;

/** Signs a value. @returns the compact token */
export const seal = <T>(kind: SignedKind<T>, value: T, signer: Signer): string => signJws(signer, { typ: kind.typ }, encode(kind.shape, value));

/** `X_sha256` of a token: SHA-256 over its compact ASCII as signed. */
export const tokenHash = (token: string): Sha256 => sha256(token);

const opened = new Opened<{ readonly kind: unknown; readonly verified: Verified<unknown> }>();

/**
 * Verifies a token of a kind.
 * @throws Fault token.malformed (not such a token), token.signature (unknown key, wrong role or bad signature), intake.malformed (payload)
 */
export function open<T>(kind: SignedKind<T>, token: string, keys: KeyFinder): Verified<T> {
  const known = opened.find(token, kind.role, keys);
  if (known?.kind === kind) return known.verified as Verified<T>;
  const jws = splitJws(token);
  if (jws.typ !== kind.typ) throw fault('token.malformed', { what: `typ is ${jws.typ}, ${kind.typ} was needed` });
  const signer = keys(kind.role, jws.kid);
  if (!signer || !verifyJws(jws, signer.key)) throw fault('token.signature', { typ: kind.typ });
  const value = decode(kind.shape, parseJson(jws.payload, { bytes: SIGNED_BYTES }), kind.typ);
  const result = verified(value, token, signer);
  opened.keep(token, signer, { kind, verified: result }, value);
  return result;
}

/** Marks a value as verified. For the verifiers of this ring only (open, SD-JWT): they have checked it. */
export const verified = <T>(value: T, token: string, signer: VerifyKey): Verified<T> => ({ value, token, sha256: tokenHash(token), signer }) as Verified<T>;

/** Refuses a token outside its life. `skewS` forgives clocks that differ. @throws Fault token.time */
export function assertLive(kind: SignedKind<unknown>, life: { nbf?: number | undefined; iat?: number | undefined; exp?: number | undefined }, now: number, skewS = 5): void {
  const from = life.nbf ?? life.iat ?? 0;
  if (now + skewS < from || (life.exp !== undefined && now >= life.exp + skewS)) throw fault('token.time', { typ: kind.typ });
}
