/** Public areas, sensitive creation data and what TPM2_Create answers: Part 2 sections 11.1.15, 12.2 and 15.1. */
import { type Infer, type Input, select, struct } from '../wire/codec.js';
import { buffer, named, u16, u32, u64, u8 } from '../wire/fields.js';
import { ALG, EccCurve, HashAlgOrNull, MAX_DIGEST, MAX_ECC_BYTES, MAX_HA, MAX_RSA_BYTES } from './algorithms.js';
import { ObjectAttributes } from './attributes.js';
import { PcrSelectionList } from './pcr.js';
import { EccScheme, KdfScheme, KeyedHashScheme, RsaScheme, SymDefObject } from './schemes.js';

/** TPMS_ECC_POINT, Part 2 section 11.2.5.2. Coordinates may come without leading zeros. */
export const EccPoint = struct({ x: buffer(MAX_ECC_BYTES), y: buffer(MAX_ECC_BYTES) });
export type EccPoint = Infer<typeof EccPoint>;

/** TPMT_PUBLIC, Part 2 section 12.2.4: what a Name is the hash of. */
export const Public = struct({
  type: named(u16, { rsa: ALG.rsa, ecc: ALG.ecc, keyedhash: ALG.keyedhash, symcipher: ALG.symcipher }),
  nameAlg: HashAlgOrNull,
  objectAttributes: ObjectAttributes,
  authPolicy: buffer(MAX_DIGEST),
  parameters: select('type', {
    rsa: struct({ symmetric: SymDefObject, scheme: RsaScheme, keyBits: u16, exponent: u32 }),
    ecc: struct({ symmetric: SymDefObject, scheme: EccScheme, curveID: EccCurve, kdf: KdfScheme }),
    keyedhash: struct({ scheme: KeyedHashScheme }),
    symcipher: struct({ sym: SymDefObject }),
  }),
  unique: select('type', { rsa: buffer(MAX_RSA_BYTES), ecc: EccPoint, keyedhash: buffer(MAX_DIGEST), symcipher: buffer(MAX_DIGEST) }),
});
export type Public = Infer<typeof Public>;
/** A public area as a caller may write it: any Uint8Array where the TPM's answer holds Buffers. */
export type PublicInput = Input<Public>;

/** TPMS_SENSITIVE_CREATE, Part 2 section 11.1.15. `data` is the secret to seal, empty for keys. */
export const SensitiveCreate = struct({ userAuth: buffer(MAX_DIGEST), data: buffer(256) });

/** TPMT_SENSITIVE, Part 2 section 12.3.2.4: for TPM2_LoadExternal of a private or symmetric key. */
export const Sensitive = struct({
  sensitiveType: named(u16, { rsa: ALG.rsa, ecc: ALG.ecc, keyedhash: ALG.keyedhash, symcipher: ALG.symcipher }),
  authValue: buffer(MAX_DIGEST),
  seedValue: buffer(MAX_DIGEST),
  sensitive: buffer(MAX_RSA_BYTES),
});

/** TPMS_CREATION_DATA, Part 2 section 15.1. */
export const CreationData = struct({
  pcrSelect: PcrSelectionList, pcrDigest: buffer(MAX_DIGEST), locality: u8, parentNameAlg: HashAlgOrNull, parentName: buffer(MAX_HA),
  parentQualifiedName: buffer(MAX_HA), outsideInfo: buffer(MAX_HA),
});

/** TPMT_TK_*, Part 2 section 10.7: what a TPM gives to recognise its own work. `hierarchy` is a TPM_RH handle. */
export const Ticket = struct({
  tag: named(u16, { creation: 0x8021, verified: 0x8022, authSecret: 0x8023, hashcheck: 0x8024, authSigned: 0x8025 }),
  hierarchy: u32,
  digest: buffer(MAX_DIGEST),
});
export type Ticket = Infer<typeof Ticket>;

/** The null ticket, for TPM2_Sign of a digest that the TPM did not compute (unrestricted keys only). */
export const NULL_HASHCHECK: Ticket = { tag: 'hashcheck', hierarchy: 0x40000007, digest: Buffer.alloc(0) };

/** TPMS_CONTEXT, Part 2 section 14.5: an object or session taken out of the TPM by TPM2_ContextSave. */
export const Context = struct({ sequence: u64, savedHandle: u32, hierarchy: u32, contextBlob: buffer(4096) });
export type Context = Infer<typeof Context>;
