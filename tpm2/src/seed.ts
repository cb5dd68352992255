/** A secret for whoever holds a TPM key's private part: Part 1 annexes B.10 (RSA) and C.6 (ECC). Used for credentials ("IDENTITY") and session salts ("SECRET"). */
import { constants, createECDH, type ECDH, publicEncrypt, randomBytes } from 'node:crypto';
import { hashBits, kdfE } from './kdf.js';
import { fieldSize, padded, publicKeyOf } from './keys.js';
import { EccPoint, HASH_SIZE, type Public, type PublicInput } from './structures/index.js';
import { encode } from './wire/codec.js';

export interface SharedSeed {
  readonly seed: Buffer;
  /** The contents of TPM2B_ENCRYPTED_SECRET. */
  readonly encryptedSecret: Buffer;
}

const NODE_CURVE: Readonly<Record<string, string>> = { p256: 'prime256v1', p384: 'secp384r1', p521: 'secp521r1' };

/**
 * @param fixed for known-answer tests only: the seed (RSA) or the ephemeral private key (ECC)
 * @throws TypeError when the key is not RSA or on a supported curve, has no nameAlg, or its point is not on the curve
 */
export function seedFor(key: PublicInput, label: 'IDENTITY' | 'SECRET', fixed?: Uint8Array): SharedSeed {
  const area = key as Public;
  const hash = area.nameAlg;
  if (hash === 'null') throw new TypeError('a key without a nameAlg cannot share a secret');
  if (area.type === 'rsa') {
    const seed = Buffer.from(fixed ?? randomBytes(HASH_SIZE[hash]));
    const options = { key: publicKeyOf(area), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash, oaepLabel: Buffer.from(`${label}\0`) };
    return { seed, encryptedSecret: publicEncrypt(options, seed) };
  }
  if (area.type !== 'ecc') throw new TypeError(`a ${area.type} object cannot share a secret`);
  publicKeyOf(area); // throws where the point is not on the curve
  const size = fieldSize(area.parameters.curveID);
  const full = (number: Uint8Array): Buffer => padded(number, size) ?? Buffer.alloc(0);
  const ephemeral: ECDH = createECDH(NODE_CURVE[area.parameters.curveID]!);
  if (fixed === undefined) ephemeral.generateKeys();
  else ephemeral.setPrivateKey(fixed);
  const point = ephemeral.getPublicKey();
  const [ex, ey] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  const x = full(area.unique.x);
  const z = ephemeral.computeSecret(Buffer.concat([Buffer.of(4), x, full(area.unique.y)]));
  return { seed: kdfE(hash, full(z), label, ex, x, hashBits(hash)), encryptedSecret: encode(EccPoint, { x: ex, y: ey }) };
}
