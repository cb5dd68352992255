/**
 * Compact JWS (RFC 7515), ES256 only, with typed headers. The bytes that arrived are what is verified; the payload is parsed strictly after that.
 */
import { type KeyObject, createPrivateKey, createPublicKey, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { fromB64u, sha256, type Sha256, toB64u } from './bytes.js';
import { canonical, type Json, parseJson } from './json.js';
import { fault } from './fault.js';
import { Recent } from './recent.js';
import type { PublicJwk } from './shape.js';

/** Whoever signs: a key in memory, a file, a TPM. `sign` gives 64 bytes r||s over SHA-256 of the data. */
export interface Signer { readonly kid: string; readonly jwk: PublicJwk; sign(data: Uint8Array): Buffer }

/** A public key for verification, imported once: importing costs more than verifying. */
export interface VerifyKey { readonly kid: string; readonly jwk: PublicJwk; readonly key: KeyObject; readonly jkt: Sha256 }

/** RFC 7638 thumbprint. */
export const thumbprint = (jwk: PublicJwk): Sha256 => sha256(canonical({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }));

/** Keys by thumbprint, which says everything of them. */
const imported = new Recent<KeyObject>(1024);

/** @throws Fault token.malformed when x and y are no point of the curve: a key may come from a hostile token */
export function verifyKey(jwk: PublicJwk, kid?: string): VerifyKey {
  const jkt = thumbprint(jwk);
  const key = imported.get(jkt) ?? importKey(jwk);
  imported.set(jkt, key, 1);
  return { kid: kid ?? jkt, jwk, jkt, key };
}

function importKey(jwk: PublicJwk): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    throw fault('token.malformed', { what: 'the public key is no point of P-256' });
  }
}

export function signerOf(privateKey: KeyObject, kid?: string): Signer {
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || !x || !y) throw new TypeError('an EC P-256 key is needed');
  const jwk: PublicJwk = { kty, crv, x, y };
  return { kid: kid ?? thumbprint(jwk), jwk, sign: (data) => signBytes('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
}

/** A signer from a private JWK (P-256). */
export const signerFromJwk = (jwk: PublicJwk & { d: string }, kid?: string): Signer => signerOf(createPrivateKey({ key: jwk, format: 'jwk' }), kid);

export function signJws(signer: Signer, header: { typ: string; [name: string]: Json }, payload: Json): string {
  const head = toB64u(Buffer.from(canonical({ alg: 'ES256', kid: signer.kid, ...header })));
  const signed = `${head}.${toB64u(Buffer.from(canonical(payload)))}`;
  return `${signed}.${toB64u(signer.sign(Buffer.from(signed)))}`;
}

/** A JWS taken apart and not yet verified: only what is needed to find the key may be read from it. */
export interface UnverifiedJws { readonly kid: string; readonly typ: string; readonly header: Record<string, Json>; readonly payload: Buffer; readonly signed: string; readonly signature: Buffer }

const part = (text: string | undefined, what: string): Buffer => {
  const bytes = text === undefined ? null : fromB64u(text);
  if (bytes === null) throw fault('token.malformed', { what: `${what} is not canonical base64url` });
  return bytes;
};

/** @throws Fault token.malformed, or a strict JSON fault of the header */
export function splitJws(token: string): UnverifiedJws {
  const parts = token.split('.');
  if (parts.length !== 3) throw fault('token.malformed', { what: 'a compact JWS has three parts' });
  const header = parseJson(part(parts[0], 'header'));
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw fault('token.malformed', { what: 'the header is no object' });
  const { alg, kid, typ, crit } = header;
  if (alg !== 'ES256' || typeof typ !== 'string' || crit !== undefined) throw fault('token.malformed', { what: 'alg must be ES256, typ is needed, crit is not taken' });
  const signature = part(parts[2], 'signature');
  if (signature.length !== 64) throw fault('token.malformed', { what: 'an ES256 signature has 64 bytes' });
  return { kid: typeof kid === 'string' ? kid : '', typ, header, payload: part(parts[1], 'payload'), signed: `${parts[0]}.${parts[1]}`, signature };
}

export const verifyJws = (jws: UnverifiedJws, key: KeyObject): boolean => verifyBytes('sha256', Buffer.from(jws.signed), { key, dsaEncoding: 'ieee-p1363' }, jws.signature);
