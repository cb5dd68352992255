/** Attribute words: Part 2 section 8 (TPMA_*) and 13.4 (TPMA_NV). A reserved bit that is set is refused. */
import { bits } from '../wire/bits.js';
import { decode, type Infer } from '../wire/codec.js';
import { u32, u8 } from '../wire/fields.js';

/** TPMA_OBJECT, Part 2 section 8.3. */
export const ObjectAttributes = bits(u32, {
  fixedTPM: 1, stClear: 2, fixedParent: 4, sensitiveDataOrigin: 5, userWithAuth: 6, adminWithPolicy: 7, firmwareLimited: 8, svnLimited: 9,
  noDA: 10, encryptedDuplication: 11, restricted: 16, decrypt: 17, sign: 18, x509sign: 19,
});
export type ObjectAttributes = Infer<typeof ObjectAttributes>;

/** TPMA_NV, Part 2 section 13.4; `type` is TPM_NT (13.2). */
export const NvAttributes = bits(u32, {
  ppWrite: 0, ownerWrite: 1, authWrite: 2, policyWrite: 3,
  type: { shift: 4, width: 4, names: { ordinary: 0, counter: 1, bits: 2, extend: 4, pinFail: 8, pinPass: 9 } },
  policyDelete: 10, writeLocked: 11, writeAll: 12, writeDefine: 13, writeStClear: 14, globalLock: 15,
  ppRead: 16, ownerRead: 17, authRead: 18, policyRead: 19, noDA: 25, orderly: 26, clearStClear: 27, readLocked: 28, written: 29, platformCreate: 30, readStClear: 31,
});
export type NvAttributes = Infer<typeof NvAttributes>;

/** TPMA_SESSION, Part 2 section 8.4. */
export const SessionAttributes = bits(u8, { continueSession: 0, auditExclusive: 1, auditReset: 2, decrypt: 5, encrypt: 6, audit: 7 });
export type SessionAttributes = Infer<typeof SessionAttributes>;

/** TPMA_ALGORITHM, Part 2 section 8.2. */
export const AlgorithmAttributes = bits(u32, { asymmetric: 0, symmetric: 1, hash: 2, object: 3, signing: 8, encrypting: 9, method: 10 });

/** All attributes of an object from the names of those that are set: `objectAttributes('fixedTPM', 'sign')`. */
export function objectAttributes(...set: (keyof ObjectAttributes)[]): ObjectAttributes {
  return { ...decode(ObjectAttributes, Buffer.alloc(4)), ...Object.fromEntries(set.map((name) => [name, true])) };
}

/** All attributes of an NV index from its type and the names of those that are set. */
export function nvAttributes(type: NvAttributes['type'], ...set: Exclude<keyof NvAttributes, 'type'>[]): NvAttributes {
  return { ...decode(NvAttributes, Buffer.alloc(4)), ...Object.fromEntries(set.map((name) => [name, true])), type };
}
