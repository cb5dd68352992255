/** Signatures and digests with their algorithm: Part 2 sections 10.3.2 and 11.3.4. */
import { type Codec, type Infer, struct, variant } from '../wire/codec.js';
import { buffer, list, u16 } from '../wire/fields.js';
import { ALG, HASH_SIZE, HashAlg, MAX_ECC_BYTES, MAX_RSA_BYTES } from './algorithms.js';

/** The digest of a TPMT_HA: as long as its algorithm says, without a length of its own. */
const digest: Codec<Buffer> = {
  read: (r, at) => r.take(HASH_SIZE[at['hashAlg'] as HashAlg]),
  write(w, v, at) {
    const size = HASH_SIZE[at['hashAlg'] as HashAlg];
    if (!(v instanceof Uint8Array) || v.byteLength !== size) w.fail(`a ${String(at['hashAlg'])} digest is ${size} bytes`);
    w.put(v);
  },
};

/** TPMT_HA, Part 2 section 10.3.2. */
export const Ha = struct({ hashAlg: HashAlg, digest });
export type Ha = Infer<typeof Ha>;

/** TPML_DIGEST_VALUES, Part 2 section 10.9.5: for TPM2_PCR_Extend, one digest per bank. */
export const DigestValues = list(Ha, 16);

const rsa = { hash: HashAlg, sig: buffer(MAX_RSA_BYTES) } as const;
const ecc = { hash: HashAlg, signatureR: buffer(MAX_ECC_BYTES), signatureS: buffer(MAX_ECC_BYTES) } as const;

/** TPMT_SIGNATURE, Part 2 section 11.3.4: `{ sigAlg: 'ecdsa', hash: 'sha256', signatureR, signatureS }` and its kin. */
export const Signature = variant('sigAlg', u16, {
  rsassa: [ALG.rsassa, rsa],
  rsapss: [ALG.rsapss, rsa],
  ecdsa: [ALG.ecdsa, ecc],
  ecdaa: [ALG.ecdaa, ecc],
  sm2: [ALG.sm2, ecc],
  ecschnorr: [ALG.ecschnorr, ecc],
  hmac: [ALG.hmac, { hashAlg: HashAlg, digest }],
  null: [ALG.null, {}],
});
export type Signature = Infer<typeof Signature>;
