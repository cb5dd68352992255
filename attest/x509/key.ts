/** SubjectPublicKeyInfo as a key that may be used, or the reason why not. A key's size is looked at before anything is computed with it. */
import { type KeyObject, createPublicKey } from 'node:crypto';
import { type Der, TAG, inside, malformed, only } from './der.js';
import { integer, octetsOfBits, oid } from './primitives.js';

export interface SubjectKey {
  readonly spki: Buffer;
  /** `rsa:2048`, `ec:secp256r1`; a kind that is unknown here by its object identifier. */
  readonly name: string;
  /** Null where `weak` says why it is not used. */
  readonly key: KeyObject | null;
  readonly weak: string | null;
}

const RSA = '1.2.840.113549.1.1.1';
const EC = '1.2.840.10045.2.1';
const RSA_MARKED = { '1.2.840.113549.1.1.7': 'key-oid-oaep', '1.2.840.113549.1.1.10': 'key-oid-pss' } as const;
/** Named curves only: a curve that the certificate describes itself is one that its author chose (CVE-2020-0601). */
const CURVES: Record<string, { name: string; coordinate: number }> = {
  '1.2.840.10045.3.1.7': { name: 'secp256r1', coordinate: 32 }, '1.3.132.0.34': { name: 'secp384r1', coordinate: 48 }, '1.3.132.0.35': { name: 'secp521r1', coordinate: 66 },
};
const MIN_BITS = 2048;
/** Verification grows with the cube of the modulus and with the exponent: larger keys are a way to keep a verifier busy. */
const MAX_BITS = 4096;
const MAX_EXPONENT_BYTES = 5;

const PREFIX = Buffer.from('300d06092a864886f70d0101010500', 'hex');
const lengthOf = (size: number): Buffer => (size < 0x80 ? Buffer.of(size) : size < 0x100 ? Buffer.of(0x81, size) : Buffer.of(0x82, size >> 8, size & 0xff));
const sequenceOf = (body: Buffer): Buffer => Buffer.concat([Buffer.of(TAG.sequence), lengthOf(body.length), body]);

/** @throws Fault cert.malformed */
export function readKey(der: Der): SubjectKey {
  const reader = inside(der);
  const algorithm = inside(reader.take(TAG.sequence, 'the algorithm of the key'));
  const bits = reader.take(TAG.bitString, 'the key');
  reader.end('the key');
  const type = oid(algorithm.take(TAG.oid, 'the algorithm of the key'));
  if (type === EC) return ecKey(der.whole, algorithm.done ? null : algorithm.next('the curve'), octetsOfBits(bits), bits.at);
  const marked = RSA_MARKED[type as keyof typeof RSA_MARKED];
  if (marked !== undefined) der.oddities.add(marked);
  if (type === RSA || marked !== undefined) return rsaKey(der.whole, bits);
  return { spki: der.whole, name: type, key: null, weak: `its key is of a kind that is not used here (${type})` };
}

function ecKey(spki: Buffer, parameters: Der | null, point: Buffer, at: number): SubjectKey {
  const curve = parameters?.tag === TAG.oid ? CURVES[oid(parameters)] : undefined;
  if (curve === undefined) return { spki, name: 'ec', key: null, weak: 'its key is on a curve that is not used here' };
  if (point.length !== 1 + 2 * curve.coordinate || point[0] !== 0x04) malformed(at, 'a point that is not uncompressed');
  return { spki, name: `ec:${curve.name}`, key: keyObject(spki, at), weak: null };
}

function rsaKey(spki: Buffer, bits: Der): SubjectKey {
  const octets = octetsOfBits(bits);
  const reader = inside(only(octets, bits.at + 1, TAG.sequence, 'the RSA key', bits.oddities));
  const [n, e] = [integer(reader.take(TAG.integer, 'the modulus')), integer(reader.take(TAG.integer, 'the exponent'))];
  reader.end('the RSA key');
  const modulus = n[0] === 0 ? n.subarray(1) : n;
  const size = modulus.length === 0 ? 0 : modulus.length * 8 - Math.clz32(modulus[0]!) + 24;
  const name = `rsa:${size}`;
  const isNone = n[0]! >= 0x80 || e[0]! >= 0x80 || n.at(-1)! % 2 === 0;
  const weak = isNone ? 'its RSA key is none' : rsaWeakness(size, e);
  return { spki, name, key: weak === null ? keyObject(sequenceOf(Buffer.concat([PREFIX, bits.whole])), bits.at) : null, weak };
}

function rsaWeakness(size: number, e: Buffer): string | null {
  if (size < MIN_BITS) return `its RSA key has ${size} bits, ${MIN_BITS} are needed`;
  if (size > MAX_BITS) return `its RSA key has ${size} bits, at most ${MAX_BITS} are taken`;
  const exponent = e.length > MAX_EXPONENT_BYTES ? Infinity : e.readUIntBE(0, e.length);
  return exponent < 3 || exponent % 2 === 0 || exponent > 2 ** 32 ? 'its RSA exponent is not used here' : null;
}

/** @param spki with the plain object identifier: node:crypto takes no key out of one that is marked for OAEP */
function keyObject(spki: Buffer, at: number): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return malformed(at, 'a key that is none');
  }
}
