/** TPM2_MakeCredential without a TPM: the verifier's half of credential activation, Part 1 section 24. */
import { createCipheriv, createHmac } from 'node:crypto';
import { hashBits, kdfA } from './kdf.js';
import { seedFor } from './seed.js';
import type { HashAlg, PublicInput, SymDef } from './structures/index.js';
import { encode } from './wire/codec.js';
import { buffer } from './wire/fields.js';

export interface CredentialRequest {
  /** The endorsement key that the certificate names: RSA, P-256 or P-384. Its nameAlg and symmetric definition decide the arithmetic. */
  readonly ekPublic: PublicInput;
  /** The Name of the attestation key, computed by the verifier from its public area. */
  readonly akName: Uint8Array;
  /** What only a TPM that holds both keys can answer: at most as long as the EK's nameAlg digest. */
  readonly secret: Uint8Array;
  /** Known-answer tests only: the RSA seed, or the ephemeral ECC private key. */
  readonly seed?: Uint8Array;
  readonly ephemeral?: Uint8Array;
}

/** Both as TPM2_ActivateCredential takes them: the contents, without the outer TPM2B length. */
export interface Credential {
  readonly credentialBlob: Buffer;
  readonly encryptedSecret: Buffer;
}

const secretBuffer = buffer(64);

/** @throws TypeError when the EK cannot take part: another type, curve or cipher; RangeError when the secret is longer than the digest */
export function makeCredential({ ekPublic, akName, secret, seed: fixedSeed, ephemeral }: CredentialRequest): Credential {
  const { bits, hash } = storageOf(ekPublic);
  if (secret.byteLength * 8 > hashBits(hash)) throw new RangeError(`a secret of ${secret.byteLength} bytes does not fit the EK's nameAlg ${hash}`);
  const { seed, encryptedSecret } = seedFor(ekPublic, 'IDENTITY', ephemeral ?? fixedSeed);
  const none = Buffer.alloc(0);
  const storageKey = kdfA(hash, seed, 'STORAGE', akName, none, bits);
  const cipher = createCipheriv(`aes-${bits}-cfb`, storageKey, Buffer.alloc(16));
  const encIdentity = cipher.update(encode(secretBuffer, secret));
  const integrityKey = kdfA(hash, seed, 'INTEGRITY', none, none, hashBits(hash));
  const integrity = createHmac(hash, integrityKey).update(encIdentity).update(akName).digest();
  return { credentialBlob: Buffer.concat([encode(secretBuffer, integrity), encIdentity]), encryptedSecret };
}

/** The EK's nameAlg and the size of its AES key: it must be a storage key, with AES-CFB. */
function storageOf(ek: PublicInput): { hash: HashAlg; bits: number } {
  const symmetric: SymDef | undefined = ek.type === 'rsa' || ek.type === 'ecc' ? ek.parameters.symmetric : undefined;
  if (symmetric?.algorithm !== 'aes' || symmetric.mode !== 'cfb' || ek.nameAlg === 'null') throw new TypeError('the EK is no storage key with AES-CFB and a nameAlg');
  return { hash: ek.nameAlg, bits: symmetric.keyBits };
}
