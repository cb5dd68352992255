/** Signature algorithms of certificates and revocation lists: a closed table. SHA-1 and older are read, so that they can be named, and never verified. */
import { type KeyObject, constants, verify } from 'node:crypto';
import { type Der, TAG, inside, malformed } from './der.js';
import { oid, small } from './primitives.js';

export interface SignatureAlgorithm {
  /** AlgorithmIdentifier as encoded: the two in a certificate must be equal. */
  readonly der: Buffer;
  readonly name: string;
  /** Null: not verified here. */
  readonly scheme: Scheme | null;
}
interface Scheme { readonly hash: string; readonly key: 'rsa' | 'ec'; readonly saltLength: number | null }

const rsa = (hash: string): Scheme => ({ hash, key: 'rsa', saltLength: null });
const ec = (hash: string): Scheme => ({ hash, key: 'ec', saltLength: null });
const TABLE: Record<string, readonly [name: string, scheme: Scheme | null]> = {
  '1.2.840.113549.1.1.11': ['RSA with SHA-256', rsa('sha256')], '1.2.840.113549.1.1.12': ['RSA with SHA-384', rsa('sha384')], '1.2.840.113549.1.1.13': ['RSA with SHA-512', rsa('sha512')],
  '1.2.840.10045.4.3.2': ['ECDSA with SHA-256', ec('sha256')], '1.2.840.10045.4.3.3': ['ECDSA with SHA-384', ec('sha384')], '1.2.840.10045.4.3.4': ['ECDSA with SHA-512', ec('sha512')],
  '1.2.840.113549.1.1.5': ['RSA with SHA-1', null], '1.2.840.10045.4.1': ['ECDSA with SHA-1', null], '1.2.840.113549.1.1.4': ['RSA with MD5', null],
};
const PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
const HASHES: Record<string, readonly [name: string, size: number]> = { '2.16.840.1.101.3.4.2.1': ['sha256', 32], '2.16.840.1.101.3.4.2.2': ['sha384', 48], '2.16.840.1.101.3.4.2.3': ['sha512', 64] };

/** AlgorithmIdentifier. RSA wants NULL as parameters and ECDSA nothing (RFC 4055, RFC 5758); the other of the two is an oddity, anything else is refused. */
export function readAlgorithm(der: Der): SignatureAlgorithm {
  const reader = inside(der);
  const id = oid(reader.take(TAG.oid, 'the algorithm'));
  const parameters = reader.done ? null : reader.next('the parameters of the algorithm');
  reader.end('the algorithm');
  if (id === PSS) return { der: der.whole, name: 'RSASSA-PSS', scheme: parameters && pssScheme(parameters) };
  const [name, scheme] = TABLE[id] ?? [id, null];
  if (name.endsWith('SHA-1')) der.oddities.add('signature-sha1');
  if (TABLE[id] !== undefined) {
    if (parameters !== null && (parameters.tag !== TAG.null || parameters.body.length > 0)) malformed(der.at, 'parameters that this algorithm does not have');
    if ((parameters !== null) !== name.startsWith('RSA')) der.oddities.add('algorithm-parameters');
  }
  return { der: der.whole, name, scheme };
}

const hashOid = (der: Der): string => oid(inside(der).take(TAG.oid, 'the hash'));

/** RSASSA-PSS-params (RFC 4055 section 3.1): one SHA-2 hash for message and mask, a salt of its length. Everything else, the SHA-1 defaults too, is not verified. */
function pssScheme(parameters: Der): Scheme | null {
  const reader = inside(parameters);
  const hash = reader.optional(0xa0, 'the hash');
  const mask = reader.optional(0xa1, 'the mask');
  const salt = reader.optional(0xa2, 'the salt');
  const trailer = reader.optional(0xa3, 'the trailer');
  if (trailer !== null) {
    if (small(inside(trailer).take(TAG.integer, 'the trailer'), 'the trailer') !== 1) return null;
    parameters.oddities.add('default-encoded');
  }
  if (hash === null || mask === null || salt === null || !reader.done) return null;
  const [name, size] = HASHES[hashOid(inside(hash).take(TAG.sequence, 'the hash'))] ?? [null, 0];
  const generator = inside(inside(mask).take(TAG.sequence, 'the mask'));
  if (oid(generator.take(TAG.oid, 'the mask')) !== MGF1) return null;
  if (HASHES[hashOid(generator.take(TAG.sequence, 'the hash of the mask'))]?.[0] !== name || name === null) return null;
  return small(inside(salt).take(TAG.integer, 'the salt'), 'the salt') === size ? { hash: name, key: 'rsa', saltLength: size } : null;
}

/** Whether `signature` over `bytes` is by `key`. A key of another kind than the algorithm's signs nothing. */
export function verifies({ scheme }: SignatureAlgorithm, key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  if (scheme === null || key.asymmetricKeyType !== scheme.key) return false;
  try {
    const padding = scheme.saltLength === null ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_PSS_PADDING;
    return verify(scheme.hash, bytes, scheme.key === 'ec' ? key : { key, padding, ...(scheme.saltLength !== null && { saltLength: scheme.saltLength }) }, signature);
  } catch {
    return false;
  }
}
