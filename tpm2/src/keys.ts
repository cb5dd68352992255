/** Public keys and signatures between TPM structures and node:crypto. */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { type HashAlg, HASH_SIZE, type PublicInput, type Public, type Signature } from './structures/index.js';
import type { Input } from './wire/codec.js';

const CURVES = { p256: { crv: 'P-256', size: 32 }, p384: { crv: 'P-384', size: 48 }, p521: { crv: 'P-521', size: 66 } } as const;
export type Curve = keyof typeof CURVES;

/** Bytes of a coordinate of the curve. @throws TypeError for a curve that node:crypto has not */
export function fieldSize(curve: string): number {
  return curveOf(curve).size;
}

function curveOf(curve: string): (typeof CURVES)[Curve] {
  const row = (CURVES as Partial<Record<string, (typeof CURVES)[Curve]>>)[curve];
  if (row === undefined) throw new TypeError(`curve ${curve} is not supported`);
  return row;
}

/** An unsigned number as exactly `size` bytes; null when it does not fit. */
export function padded(number: Uint8Array, size: number): Buffer | null {
  let from = 0;
  while (number.byteLength - from > size && number[from] === 0) from++;
  const digits = number.subarray(from);
  return digits.byteLength > size ? null : Buffer.concat([Buffer.alloc(size - digits.byteLength), digits]);
}

/**
 * The key of an RSA or ECC public area. Costs more than a verification: keep it.
 * @throws TypeError for another type or curve, or a point that is not on its curve
 */
export function publicKeyOf(publicArea: PublicInput): KeyObject {
  const { type, parameters, unique } = publicArea as Public;
  if (type === 'rsa') {
    const exponent = parameters.exponent === 0 ? 65537 : parameters.exponent;
    const e = Buffer.alloc(4);
    e.writeUInt32BE(exponent);
    return createPublicKey({ key: { kty: 'RSA', n: (unique as Buffer).toString('base64url'), e: e.toString('base64url') }, format: 'jwk' });
  }
  if (type !== 'ecc') throw new TypeError(`a ${type} object has no public key`);
  const { crv, size } = curveOf(parameters.curveID);
  const x = padded(unique.x, size);
  const y = padded(unique.y, size);
  if (x === null || y === null) throw new TypeError('a coordinate is longer than the curve’s field');
  try {
    return createPublicKey({ key: { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') }, format: 'jwk' });
  } catch (cause) {
    throw new TypeError('the point is not on the curve', { cause });
  }
}

/** `template` with the public numbers of `key` in its `unique`: what the TPM's public area must be if the key is one made from that template. */
export function publicFromKey(key: KeyObject, template: Public): Public {
  const jwk = key.export({ format: 'jwk' });
  const part = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
  if (template.type === 'rsa' && jwk.kty === 'RSA') return { ...template, parameters: { ...template.parameters, keyBits: part(jwk.n).length * 8 }, unique: part(jwk.n) };
  if (template.type === 'ecc' && jwk.kty === 'EC' && jwk.crv === curveOf(template.parameters.curveID).crv) return { ...template, unique: { x: part(jwk.x), y: part(jwk.y) } };
  throw new TypeError(`a ${jwk.kty ?? 'symmetric'} ${jwk.crv ?? ''} key does not fit a template of type ${template.type}`);
}

/** Which signature is acceptable: the caller's decision, never the signature's own word. */
export interface SignatureScheme {
  readonly sigAlg: 'ecdsa' | 'rsassa' | 'rsapss';
  readonly hash: HashAlg;
}

/**
 * Is `signature` a signature of `message` under `key` by exactly this scheme? False for anything else; never throws for what the signature holds.
 * RSAPSS is taken with any salt length, as TPMs differ (Part 1 annex B.7).
 */
export function verifySignature(key: KeyObject, message: Uint8Array, signature: Input<Signature>, scheme: SignatureScheme): boolean {
  if (signature.sigAlg !== scheme.sigAlg || !('hash' in signature) || signature.hash !== scheme.hash || !(scheme.hash in HASH_SIZE)) return false;
  try {
    if (signature.sigAlg === 'ecdsa') {
      const raw = rawOf(key, signature.signatureR, signature.signatureS);
      return key.asymmetricKeyType === 'ec' && raw !== null && verify(scheme.hash, message, { key, dsaEncoding: 'ieee-p1363' }, raw);
    }
    if (key.asymmetricKeyType !== 'rsa' || !('sig' in signature)) return false;
    if (signature.sigAlg === 'rsassa') return verify(scheme.hash, message, { key, padding: constants.RSA_PKCS1_PADDING }, signature.sig);
    return verify(scheme.hash, message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }, signature.sig);
  } catch {
    return false;
  }
}

/** r || s, each padded to the field's size (IEEE P1363), as JOSE and node:crypto take it. Null when a number is longer than the field. */
function rawOf(key: KeyObject, r: Uint8Array, s: Uint8Array): Buffer | null {
  const size = { prime256v1: 32, secp384r1: 48, secp521r1: 66 }[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (size === undefined) return null;
  const parts = [padded(r, size), padded(s, size)];
  return parts[0] === null || parts[1] === null ? null : Buffer.concat(parts as Buffer[]);
}

/** An ECDSA signature as r || s of `size` bytes each: the form of JOSE's ES256 and ES384. @throws TypeError for another signature */
export function p1363Of(signature: Input<Signature>, size: number): Buffer {
  const parts = signature.sigAlg === 'ecdsa' ? [padded(signature.signatureR, size), padded(signature.signatureS, size)] : [];
  if (parts.length !== 2 || parts.includes(null)) throw new TypeError(`no ECDSA signature of 2 x ${size} bytes`);
  return Buffer.concat(parts as Buffer[]);
}
