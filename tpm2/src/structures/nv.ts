/** NV public areas: Part 2 section 13. */
import { type Infer, type Input, struct } from '../wire/codec.js';
import { buffer, u16, u32 } from '../wire/fields.js';
import { HashAlg, MAX_DIGEST } from './algorithms.js';
import { NvAttributes } from './attributes.js';

/** TPMS_NV_PUBLIC, Part 2 section 13.5: what the Name of an index is the hash of. */
export const NvPublic = struct({ nvIndex: u32, nameAlg: HashAlg, attributes: NvAttributes, authPolicy: buffer(MAX_DIGEST), dataSize: u16 });
export type NvPublic = Infer<typeof NvPublic>;
export type NvPublicInput = Input<NvPublic>;
