/** Algorithm and curve identifiers: TCG Algorithm Registry, TPM_ALG_ID (Part 2 section 6.3) and TPM_ECC_CURVE (6.4). */
import { named, u16 } from '../wire/fields.js';

/** Every TPM_ALG_ID that a structure here may carry. Names of hashes are those of node:crypto. */
export const ALG = {
  rsa: 0x0001, sha1: 0x0004, hmac: 0x0005, aes: 0x0006, mgf1: 0x0007, keyedhash: 0x0008, xor: 0x000a, sha256: 0x000b, sha384: 0x000c, sha512: 0x000d,
  null: 0x0010, sm3_256: 0x0012, sm4: 0x0013, rsassa: 0x0014, rsaes: 0x0015, rsapss: 0x0016, oaep: 0x0017, ecdsa: 0x0018, ecdh: 0x0019, ecdaa: 0x001a,
  sm2: 0x001b, ecschnorr: 0x001c, ecmqv: 0x001d, kdf1_sp800_56a: 0x0020, kdf2: 0x0021, kdf1_sp800_108: 0x0022, ecc: 0x0023, symcipher: 0x0025,
  camellia: 0x0026, 'sha3-256': 0x0027, 'sha3-384': 0x0028, 'sha3-512': 0x0029, ctr: 0x0040, ofb: 0x0041, cbc: 0x0042, cfb: 0x0043, ecb: 0x0044,
} as const;

const { sha1, sha256, sha384, sha512, sm3_256, 'sha3-256': sha3_256, 'sha3-384': sha3_384, 'sha3-512': sha3_512 } = ALG;
const HASHES = { sha1, sha256, sha384, sha512, sm3_256, 'sha3-256': sha3_256, 'sha3-384': sha3_384, 'sha3-512': sha3_512 } as const;

/** TPMI_ALG_HASH, Part 2 section 9.27. */
export type HashAlg = keyof typeof HASHES;
export const HashAlg = named(u16, HASHES);
/** TPMI_ALG_HASH+, where TPM_ALG_NULL is allowed. */
export const HashAlgOrNull = named(u16, { ...HASHES, null: ALG.null });

/** Digest size in bytes (Part 2 section 10.3.1, TPMU_HA). */
export const HASH_SIZE: Readonly<Record<HashAlg, number>> = {
  sha1: 20, sha256: 32, sha384: 48, sha512: 64, sm3_256: 32, 'sha3-256': 32, 'sha3-384': 48, 'sha3-512': 64,
};

/** TPMI_ECC_CURVE, Part 2 section 11.2.5.5: only what the algorithm registry defines. */
export const EccCurve = named(u16, {
  p192: 0x0001, p224: 0x0002, p256: 0x0003, p384: 0x0004, p521: 0x0005, bn256: 0x0010, bn638: 0x0011, sm2_p256: 0x0020,
});

/** Largest digest, TPM2B_DIGEST (10.4.2); TPMT_HA is two bytes more. */
export const MAX_DIGEST = 64;
/** TPM2B_NAME and TPM2B_DATA hold at most a TPMT_HA (10.5.3, 10.4.3). */
export const MAX_HA = MAX_DIGEST + 2;
/** MAX_RSA_KEY_BYTES for RSA-4096. */
export const MAX_RSA_BYTES = 512;
/** MAX_ECC_KEY_BYTES: BN-638 needs 80 bytes. */
export const MAX_ECC_BYTES = 80;
/** No TPM sends or takes more in one buffer: a whole message is at most 4096 bytes (PTP, TPM_PT_MAX_COMMAND_SIZE and _RESPONSE_SIZE). */
export const MAX_MESSAGE = 4096;
