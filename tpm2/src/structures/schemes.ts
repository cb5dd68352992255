/** Symmetric definitions and schemes: Part 2 sections 11.1 and 11.2. All are a tag and, at once, what belongs to it. */
import { type Infer, variant } from '../wire/codec.js';
import { named, u16 } from '../wire/fields.js';
import { ALG, HashAlg } from './algorithms.js';

const mode = named(u16, { ctr: ALG.ctr, ofb: ALG.ofb, cbc: ALG.cbc, cfb: ALG.cfb, ecb: ALG.ecb, null: ALG.null });
const cipher = { keyBits: u16, mode } as const;
const hashed = { hashAlg: HashAlg } as const;
const none = [ALG.null, {}] as const;
const ciphers = { aes: [ALG.aes, cipher], sm4: [ALG.sm4, cipher], camellia: [ALG.camellia, cipher], null: none } as const;

/** TPMT_SYM_DEF_OBJECT, Part 2 section 11.1.7. */
export const SymDefObject = variant('algorithm', u16, ciphers);
/** TPMT_SYM_DEF, Part 2 section 11.1.6. */
export const SymDef = variant('algorithm', u16, { ...ciphers, xor: [ALG.xor, hashed] });
export type SymDef = Infer<typeof SymDef>;

const signing = { ecdsa: [ALG.ecdsa, hashed], sm2: [ALG.sm2, hashed], ecschnorr: [ALG.ecschnorr, hashed], ecdaa: [ALG.ecdaa, { hashAlg: HashAlg, count: u16 }] } as const;

/** TPMT_SIG_SCHEME, Part 2 section 11.2.1.5. `{ scheme: 'null' }` means: the key's own. */
export const SigScheme = variant('scheme', u16, { rsassa: [ALG.rsassa, hashed], rsapss: [ALG.rsapss, hashed], ...signing, hmac: [ALG.hmac, hashed], null: none });
export type SigScheme = Infer<typeof SigScheme>;

/** TPMT_RSA_SCHEME, Part 2 section 11.2.4.2. */
export const RsaScheme = variant('scheme', u16, {
  rsassa: [ALG.rsassa, hashed], rsapss: [ALG.rsapss, hashed], rsaes: [ALG.rsaes, {}], oaep: [ALG.oaep, hashed], null: none,
});

/** TPMT_ECC_SCHEME, Part 2 section 11.2.5.6. */
export const EccScheme = variant('scheme', u16, { ...signing, ecdh: [ALG.ecdh, hashed], ecmqv: [ALG.ecmqv, hashed], null: none });

/** TPMT_KDF_SCHEME, Part 2 section 11.2.3.3. */
export const KdfScheme = variant('scheme', u16, {
  mgf1: [ALG.mgf1, hashed], kdf1_sp800_56a: [ALG.kdf1_sp800_56a, hashed], kdf2: [ALG.kdf2, hashed], kdf1_sp800_108: [ALG.kdf1_sp800_108, hashed], null: none,
});

/** TPMT_KEYEDHASH_SCHEME, Part 2 section 11.1.23. */
export const KeyedHashScheme = variant('scheme', u16, { hmac: [ALG.hmac, hashed], xor: [ALG.xor, { hashAlg: HashAlg, kdf: named(u16, { kdf1_sp800_108: ALG.kdf1_sp800_108, null: ALG.null }) }], null: none });
