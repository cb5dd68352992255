/** Key derivation functions: Part 1 section 11.4.10. */
import { createHash, createHmac } from 'node:crypto';
import { HASH_SIZE, type HashAlg } from './structures/index.js';
import { handleBytes } from './handles.js';

/** KDFa, Part 1 section 11.4.10.2 (SP 800-108, counter mode, HMAC). `label` without its terminating zero. */
export function kdfA(hash: HashAlg, key: Uint8Array, label: string, contextU: Uint8Array, contextV: Uint8Array, bits: number): Buffer {
  const fixed = Buffer.concat([Buffer.from(`${label}\0`), contextU, contextV, handleBytes(bits)]);
  return expand(bits, (counter) => createHmac(hash, key).update(counter).update(fixed).digest());
}

/** KDFe, Part 1 section 11.4.10.3 (SP 800-56A, concatenation). `z`, `partyU` and `partyV` padded to the field size; `use` without its terminating zero. */
export function kdfE(hash: HashAlg, z: Uint8Array, use: string, partyU: Uint8Array, partyV: Uint8Array, bits: number): Buffer {
  const fixed = Buffer.concat([z, Buffer.from(`${use}\0`), partyU, partyV]);
  return expand(bits, (counter) => createHash(hash).update(counter).update(fixed).digest());
}

/** A number of bits that fills no whole byte clears the most significant bits of the first (11.4.10.2). */
function expand(bits: number, block: (counter: Buffer) => Buffer): Buffer {
  const size = Math.ceil(bits / 8);
  let out: Buffer = Buffer.alloc(0);
  for (let counter = 1; out.length < size; counter++) out = Buffer.concat([out, block(handleBytes(counter))]);
  out = out.subarray(0, size);
  out[0]! &= 0xff >> (size * 8 - bits);
  return out;
}

/** Size in bits of a hash's digest. */
export function hashBits(hash: HashAlg): number {
  return HASH_SIZE[hash] * 8;
}
