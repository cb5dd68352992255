/** What TPM2_GetCapability answers: Part 2 sections 6.12, 10.8 and 10.10. The limits are MAX_CAP_DATA (1016 bytes) over the size of an element. */
import { type Codec, type Infer, struct, variant } from '../wire/codec.js';
import { list, u16, u32 } from '../wire/fields.js';
import { AlgorithmAttributes } from './attributes.js';
import { PcrSelectionList } from './pcr.js';
import { Ha } from './signature.js';

/** TPM_CAP, Part 2 section 6.12. */
export const CAP = {
  algorithms: 0, handles: 1, commands: 2, ppCommands: 3, auditCommands: 4, pcrs: 5, tpmProperties: 6, pcrProperties: 7, eccCurves: 8, authPolicies: 9,
} as const;

/** The tag of a TPMS_TAGGED_PCR_SELECT is a TPM_PT_PCR (6.14), not an algorithm: 0x11 is TPM_PT_PCR_NO_INCREMENT. */
const pcrSelect: Codec<number[]> = {
  read(r) {
    const size = r.u8();
    if (size !== 3) r.fail(`sizeofSelect ${size} is not 3`, r.pos - 1);
    const bitmap = r.take(3);
    return Array.from({ length: 24 }, (_, pcr) => pcr).filter((pcr) => (bitmap[pcr >> 3]! >> (pcr & 7)) & 1);
  },
  write(w, pcrs) {
    const bitmap = new Uint8Array(3);
    for (const pcr of pcrs) {
      if (!Number.isInteger(pcr) || pcr < 0 || pcr > 23) w.fail(`PCR ${pcr} is out of range`);
      bitmap[pcr >> 3]! |= 1 << (pcr & 7);
    }
    w.u8(3);
    w.put(bitmap);
  },
};

/** TPMS_CAPABILITY_DATA, Part 2 section 10.10.1. Commands are TPMA_CC words (8.9): the code is the low 16 bits. */
export const CapabilityData = variant('capability', u32, {
  algorithms: [CAP.algorithms, { data: list(struct({ alg: u16, algProperties: AlgorithmAttributes }), 169) }],
  handles: [CAP.handles, { data: list(u32, 254) }],
  commands: [CAP.commands, { data: list(u32, 254) }],
  ppCommands: [CAP.ppCommands, { data: list(u32, 254) }],
  auditCommands: [CAP.auditCommands, { data: list(u32, 254) }],
  pcrs: [CAP.pcrs, { data: PcrSelectionList }],
  tpmProperties: [CAP.tpmProperties, { data: list(struct({ property: u32, value: u32 }), 127) }],
  pcrProperties: [CAP.pcrProperties, { data: list(struct({ tag: u32, pcrSelect }), 127) }],
  eccCurves: [CAP.eccCurves, { data: list(u16, 508) }],
  authPolicies: [CAP.authPolicies, { data: list(struct({ handle: u32, policyHash: Ha }), 14) }],
});
export type CapabilityData = Infer<typeof CapabilityData>;

/** TPM_PT, Part 2 section 6.13: the properties that this package and its users ask for. */
export const PT = {
  manufacturer: 0x105, firmwareVersion1: 0x10b, firmwareVersion2: 0x10c, inputBuffer: 0x10d, clockUpdate: 0x119, maxCommandSize: 0x11e, maxResponseSize: 0x11f,
  orderlyCount: 0x11d, nvBufferMax: 0x12c, permanent: 0x200, startupClear: 0x201, lockoutCounter: 0x20e, maxAuthFail: 0x20f, lockoutInterval: 0x210, lockoutRecovery: 0x211,
} as const;
