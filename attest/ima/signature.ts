/** File signatures (security.ima of kind EVM_IMA_XATTR_DIGSIG and IMA_VERITY_DIGSIG): Linux, security/integrity/integrity.h, struct signature_v2_hdr. */
import { type KeyObject, createHash, createPublicKey, verify } from 'node:crypto';
import { fromB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { type FileDigest, type FieldValues, digestOf } from './template.js';
import { verifyDigest } from './prehashed.js';

/** enum hash_algo of the kernel: what the header names. Not SHA-1: two files may share one. */
const HASH_ALGOS: Readonly<Record<number, string>> = { 4: 'sha256', 5: 'sha384', 6: 'sha512' };
const HEADER = 9;
/** enum evm_ima_xattr_type: which kind of digest is signed. */
const KINDS: Readonly<Record<FileDigest['kind'], number>> = { ima: 3, verity: 6 };

/** Keys of file signatures by the identifier that signatures name: the last four bytes of the SHA-1 of the key's bits. */
export type Signers = ReadonlyMap<string, KeyObject>;

/** @param spki each key as SubjectPublicKeyInfo, base64url. @throws Fault config.invalid for what is no key */
export function signersOf(spki: readonly string[]): Signers {
  return new Map(spki.map((text) => {
    try {
      const key = createPublicKey({ key: fromB64u(text) ?? Buffer.alloc(0), format: 'der', type: 'spki' });
      return [createHash('sha1').update(keyBits(key)).digest('hex').slice(-8), key];
    } catch {
      throw fault('config.invalid', { file: 'policy', what: 'a signer of IMA is no public key' });
    }
  }));
}

/** What the bit string of a SubjectPublicKeyInfo holds: RSAPublicKey, or the point. */
function keyBits(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return key.export({ format: 'der', type: 'pkcs1' });
  const { x, y } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
}

/** Does a signer vouch for what was measured of the file? Versions 2 (over the digest) and 3 (over its kind, algorithm and digest). */
export function isSigned(values: FieldValues, signers: Signers): boolean {
  const { sig } = values;
  const measured = digestOf(values);
  if (sig === undefined || measured === null || sig.length <= HEADER || sig.readUInt16BE(7) !== sig.length - HEADER) return false;
  const key = signers.get(sig.toString('hex', 3, 7));
  const alg = HASH_ALGOS[sig[2]!];
  if (key === undefined || alg === undefined || alg !== measured.alg) return false;
  const bytes = sig.subarray(HEADER);
  if (sig[0] === KINDS.ima && sig[1] === 2 && measured.kind === 'ima') return verifyDigest(key, alg, measured.digest, bytes);
  if (sig[0] === KINDS[measured.kind] && sig[1] === 3) return verify(alg, Buffer.concat([Buffer.of(KINDS[measured.kind], sig[2]!), measured.digest]), key, bytes);
  return false;
}
