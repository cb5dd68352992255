/** PCR selections: Part 2 sections 10.6.2 and 10.9.7. */
import type { Codec, Infer } from '../wire/codec.js';
import { buffer, list } from '../wire/fields.js';
import { HashAlg, MAX_DIGEST } from './algorithms.js';

/**
 * TPMS_PCR_SELECTION: one bank and its PCRs in ascending order. `sizeofSelect` (bytes of the bitmap, 1 to 4) is there only when it is not the usual 3.
 */
export interface PcrSelection {
  hash: HashAlg;
  pcrs: number[];
  sizeofSelect?: number;
}

export const PcrSelection: Codec<PcrSelection> = {
  read(r) {
    const hash = HashAlg.read(r, {});
    const size = r.u8();
    if (size < 1 || size > 4) r.fail(`sizeofSelect ${size} is not 1 to 4`, r.pos - 1);
    const bitmap = r.take(size);
    const pcrs: number[] = [];
    for (let pcr = 0; pcr < size * 8; pcr++) if ((bitmap[pcr >> 3]! >> (pcr & 7)) & 1) pcrs.push(pcr);
    return size === 3 ? { hash, pcrs } : { hash, pcrs, sizeofSelect: size };
  },
  write(w, { hash, pcrs, sizeofSelect = 3 }) {
    HashAlg.write(w, hash, {});
    if (sizeofSelect < 1 || sizeofSelect > 4) w.fail(`sizeofSelect ${sizeofSelect} is not 1 to 4`);
    const bitmap = new Uint8Array(sizeofSelect);
    for (const pcr of pcrs) {
      if (!Number.isInteger(pcr) || pcr < 0 || pcr >= sizeofSelect * 8) w.fail(`PCR ${pcr} is out of range`);
      bitmap[pcr >> 3]! |= 1 << (pcr & 7);
    }
    w.u8(sizeofSelect);
    w.put(bitmap);
  },
};

/** TPML_PCR_SELECTION: at most one selection per hash algorithm (HASH_COUNT; 16 leaves room). */
export const PcrSelectionList = list(PcrSelection, 16);
export type PcrSelectionList = Infer<typeof PcrSelectionList>;

/** TPML_DIGEST, Part 2 section 10.9.4: at most eight. */
export const DigestList = list(buffer(MAX_DIGEST), 8);

/** A selection of one bank: `selectPcrs('sha256', [0, 1, 7])`. */
export function selectPcrs(hash: HashAlg, pcrs: readonly number[]): PcrSelection[] {
  return [{ hash, pcrs: [...new Set(pcrs)].sort((a, b) => a - b) }];
}
