/** Names: Part 1 section 16. A Name is the TPM's word for exactly one public area; verifiers compute it, they never accept it. */
import { createHash } from 'node:crypto';
import { handleBytes } from './handles.js';
import { HashAlg, NvPublic, type NvPublicInput, Public, type PublicInput } from './structures/index.js';
import { encode } from './wire/codec.js';
import { Reader } from './wire/reader.js';

function hashed(alg: HashAlg, ...parts: Uint8Array[]): Buffer {
  const hash = createHash(alg);
  for (const part of parts) hash.update(part);
  return Buffer.concat([encode(HashAlg, alg), hash.digest()]);
}

/** nameAlg || H(TPMT_PUBLIC); empty where nameAlg is null. */
export function nameOf(publicArea: PublicInput): Buffer {
  return publicArea.nameAlg === 'null' ? Buffer.alloc(0) : hashed(publicArea.nameAlg, encode(Public, publicArea as Public));
}

/** nameAlg || H(TPMS_NV_PUBLIC). It changes at the first write, with the WRITTEN attribute. */
export function nvNameOf(nvPublic: NvPublicInput): Buffer {
  return hashed(nvPublic.nameAlg, encode(NvPublic, nvPublic as NvPublic));
}

/**
 * The qualified name of the last of `names`, going down from a hierarchy (its handle) or from a known qualified name:
 * `qualifiedName(RH.ENDORSEMENT, ekName, akName)`. Each step is nameAlg || H(QN of the parent || Name), with the child's own nameAlg.
 */
export function qualifiedName(parent: number | Uint8Array, ...names: Uint8Array[]): Buffer {
  let qn = typeof parent === 'number' ? handleBytes(parent) : Buffer.from(parent);
  for (const name of names) qn = hashed(algOf(name), qn, name);
  return qn;
}

/** The hash algorithm that a Name begins with. @throws WireError */
export function algOf(name: Uint8Array): HashAlg {
  return HashAlg.read(new Reader(name), {});
}
