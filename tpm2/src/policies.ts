/** Policy digests computed without a TPM: Part 3 section 23, "policyDigest" of each command. */
import { createHash } from 'node:crypto';
import { HASH_SIZE, type HashAlg, PcrSelectionList, type PcrSelection } from './structures/index.js';
import { encode } from './wire/codec.js';
import { handleBytes, RH } from './handles.js';

const CC = { PolicySecret: 0x151, PolicyOR: 0x171, PolicyPCR: 0x17f, PolicyCommandCode: 0x16c, PolicyAuthValue: 0x16b } as const;

/** The digest that a policy session begins with. */
export function emptyPolicy(hash: HashAlg = 'sha256'): Buffer {
  return Buffer.alloc(HASH_SIZE[hash]);
}

function extend(hash: HashAlg, ...parts: Uint8Array[]): Buffer {
  return createHash(hash).update(Buffer.concat(parts)).digest();
}

/** PolicySecret(entity): whoever proves the entity's auth value. `name` is the entity's Name; for a hierarchy its handle's four bytes. */
export function policySecretDigest(name: Uint8Array, { hash = 'sha256', policyRef = Buffer.alloc(0), from = emptyPolicy(hash) }: { hash?: HashAlg; policyRef?: Uint8Array; from?: Uint8Array } = {}): Buffer {
  return extend(hash, extend(hash, from, handleBytes(CC.PolicySecret), name), policyRef);
}

/** PolicyOR of two to eight branches; what came before does not count. */
export function policyOrDigest(branches: readonly Uint8Array[], hash: HashAlg = 'sha256'): Buffer {
  if (branches.length < 2 || branches.length > 8) throw new RangeError('PolicyOR takes two to eight branches');
  return extend(hash, emptyPolicy(hash), handleBytes(CC.PolicyOR), ...branches);
}

/** PolicyPCR: `pcrDigest` is the hash of the selected values, in the order of the selection. */
export function policyPcrDigest(pcrs: readonly PcrSelection[], pcrDigest: Uint8Array, { hash = 'sha256', from = emptyPolicy(hash) }: { hash?: HashAlg; from?: Uint8Array } = {}): Buffer {
  return extend(hash, from, handleBytes(CC.PolicyPCR), encode(PcrSelectionList, [...pcrs]), pcrDigest);
}

/** PolicyCommandCode: only the command of this code, such as `Unseal.code`. */
export function policyCommandCodeDigest(code: number, { hash = 'sha256', from = emptyPolicy(hash) }: { hash?: HashAlg; from?: Uint8Array } = {}): Buffer {
  return extend(hash, from, handleBytes(CC.PolicyCommandCode), handleBytes(code));
}

/** PolicyAuthValue: the object's own auth value as well. */
export function policyAuthValueDigest({ hash = 'sha256', from = emptyPolicy(hash) }: { hash?: HashAlg; from?: Uint8Array } = {}): Buffer {
  return extend(hash, from, handleBytes(CC.PolicyAuthValue));
}

const endorsement = handleBytes(RH.ENDORSEMENT);
const PolA384 = policySecretDigest(endorsement, { hash: 'sha384' });
const PolC384 = Buffer.from('d6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165', 'hex');

/** The policies of endorsement keys: TCG EK Credential Profile 2.5, annex B. */
export const policies = {
  /** PolicySecret(TPM_RH_ENDORSEMENT), SHA-256: templates L-1 and L-2. */
  PolA: policySecretDigest(endorsement),
  PolA384,
  /** PolicyAuthorizeNV, by the index of the profile. */
  PolC384,
  /** PolicyOR(PolA384, PolC384): template H-3. */
  PolB384: policyOrDigest([PolA384, PolC384], 'sha384'),
} as const;
