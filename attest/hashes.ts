/** TPM hash algorithms with node:crypto, for replays: many small inputs. */
import { createHash, hash } from 'node:crypto';
import type { HashAlg } from '@ari-sidecar/tpm2';

/** The names that node:crypto has for them, where they differ. */
const NODE_NAMES: Partial<Record<HashAlg, string>> = { sm3_256: 'sm3' };

/** H(data). */
export function hashWith(alg: HashAlg, data: Uint8Array): Buffer {
  const name = NODE_NAMES[alg] ?? alg;
  return typeof hash === 'function' ? hash(name, data, 'buffer') : createHash(name).update(data).digest();
}

/** TPM2_PCR_Extend: H(value || digest). Part 1 section 17.2. */
export const extended = (alg: HashAlg, value: Uint8Array, digest: Uint8Array): Buffer => hashWith(alg, Buffer.concat([value, digest]));
