/**
 * Signatures over a hash whose message is not here: IMA signs the digest of a file (security.ima version 2), and node:crypto verifies messages only.
 */
import { type KeyObject, constants, createECDH, createHash, createPublicKey, publicDecrypt, verify } from 'node:crypto';
import { equal } from '../../src/base/bytes.js';

/** DER of DigestInfo before the digest: RFC 8017 section 9.2, note 1. */
const DIGEST_INFO: Readonly<Record<string, string>> = {
  sha256: '3031300d060960864801650304020105000420', sha384: '3041300d060960864801650304020205000430', sha512: '3051300d060960864801650304020305000440',
};

interface Curve { readonly name: string; readonly size: number; readonly p: bigint; readonly n: bigint }
/** FIPS 186-4 appendix D.1.2. */
const CURVES: Readonly<Record<string, Curve>> = {
  prime256v1: { name: 'P-256', size: 32, p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n, n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n },
  secp384r1: { name: 'P-384', size: 48, p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n, n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n },
};

/** Is this a signature of the digest? RSASSA-PKCS1-v1_5, or ECDSA in DER. False for anything else; never throws for what the bytes hold. */
export function verifyDigest(key: KeyObject, alg: string, digest: Buffer, signature: Buffer): boolean {
  try {
    return key.asymmetricKeyType === 'rsa' ? verifyRsa(key, alg, digest, signature) : verifyEc(key, digest, signature);
  } catch {
    return false;
  }
}

function verifyRsa(key: KeyObject, alg: string, digest: Buffer, signature: Buffer): boolean {
  const info = DIGEST_INFO[alg];
  return info !== undefined && equal(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature), Buffer.concat([Buffer.from(info, 'hex'), digest]));
}

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
const mod = (a: bigint, m: bigint): bigint => ((a % m) + m) % m;
function inverse(a: bigint, m: bigint): bigint {
  let [r, next, t, after] = [m, mod(a, m), 0n, 1n];
  while (next > 0n) [r, next, t, after] = [next, r % next, after, t - (r / next) * after];
  return mod(t, m);
}

const STAND_IN = Buffer.from('ari: any message of known hash');
const STAND_IN_HASH = number(createHash('sha256').update(STAND_IN).digest());

/**
 * (r, s) signs hash e under Q exactly when it signs hash e' under Q' = Q + ((e - e') / r) G: the verifier's point (e G + r Q) / s is the same. So the question is put
 * to node:crypto for a message of our own.
 */
function verifyEc(key: KeyObject, digest: Buffer, signature: Buffer): boolean {
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined) return false;
  const r = readR(signature);
  if (r <= 0n || r >= curve.n) return false;
  const e = number(digest.subarray(0, curve.size));
  const k = mod((e - STAND_IN_HASH) * inverse(r, curve.n), curve.n);
  const moved = k === 0n ? key : shifted(key, k, curve);
  return verify('sha256', STAND_IN, moved, signature);
}

/** The first number of an ECDSA signature in DER; zero for what is none. */
function readR(der: Buffer): bigint {
  const at = der[0] === 0x30 && der[1]! < 0x80 ? 2 : -1;
  return at > 0 && der[at] === 0x02 ? number(der.subarray(at + 2, at + 2 + der[at + 1]!)) : 0n;
}

/** Q + k G. @throws when the sum is no point, which only a made-up signature reaches */
function shifted(key: KeyObject, k: bigint, { name, size, p }: Curve): KeyObject {
  const ecdh = createECDH(name === 'P-256' ? 'prime256v1' : 'secp384r1');
  ecdh.setPrivateKey(Buffer.from(k.toString(16).padStart(2 * size, '0'), 'hex'));
  const point = ecdh.getPublicKey();
  const [x1, y1] = [number(point.subarray(1, 1 + size)), number(point.subarray(1 + size))];
  const jwk = key.export({ format: 'jwk' });
  const [x2, y2] = [number(Buffer.from(jwk.x!, 'base64url')), number(Buffer.from(jwk.y!, 'base64url'))];
  if (x1 === x2 && y1 !== y2) throw new RangeError('the point at infinity');
  const slope = x1 === x2 ? mod(3n * (x1 * x1 - 1n) * inverse(2n * y1, p), p) : mod((y2 - y1) * inverse(x2 - x1, p), p);
  const x = mod(slope * slope - x1 - x2, p);
  const y = mod(slope * (x1 - x) - y1, p);
  const coordinate = (value: bigint): string => Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'EC', crv: name, x: coordinate(x), y: coordinate(y) }, format: 'jwk' });
}
