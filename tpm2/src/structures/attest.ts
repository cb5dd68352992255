/** What a TPM signs about itself: Part 2 section 10.11 and 10.12. */
import { type Infer, select, struct } from '../wire/codec.js';
import { buffer, constant, named, u16, u32, u64, yesNo } from '../wire/fields.js';
import { MAX_DIGEST, MAX_HA } from './algorithms.js';
import { PcrSelectionList } from './pcr.js';

/** TPMS_CLOCK_INFO, Part 2 section 10.11.1. `clock` counts milliseconds of powered time; not `safe`: it may repeat after a disorderly stop. */
export const ClockInfo = struct({ clock: u64, resetCount: u32, restartCount: u32, safe: yesNo });
export type ClockInfo = Infer<typeof ClockInfo>;

/** TPMS_TIME_INFO, Part 2 section 10.11.6. `time`: milliseconds since the TPM was powered. */
export const TimeInfo = struct({ time: u64, clockInfo: ClockInfo });

const name = buffer(MAX_HA);
const digest = buffer(MAX_DIGEST);
const alg = u16;

/**
 * TPMS_ATTEST, Part 2 section 10.12.12: a union discriminated by `type`. What a signature is checked over is the *bytes*, never a value encoded again.
 * `extraData` is the caller's qualifyingData; `firmwareVersion` and the clock are obfuscated unless the key is in the endorsement or platform hierarchy.
 */
export const Attest = struct({
  magic: constant(u32, 0xff544347),
  type: named(u16, { certify: 0x8017, quote: 0x8018, creation: 0x801a, nv: 0x8014, nvDigest: 0x801c, time: 0x8019, sessionAudit: 0x8016, commandAudit: 0x8015 }),
  qualifiedSigner: name,
  extraData: buffer(MAX_HA),
  clockInfo: ClockInfo,
  firmwareVersion: u64,
  attested: select('type', {
    /** TPMS_CERTIFY_INFO, 10.12.3 */
    certify: struct({ name, qualifiedName: name }),
    /** TPMS_QUOTE_INFO, 10.12.4 */
    quote: struct({ pcrSelect: PcrSelectionList, pcrDigest: digest }),
    /** TPMS_CREATION_INFO, 10.12.7 */
    creation: struct({ objectName: name, creationHash: digest }),
    /** TPMS_NV_CERTIFY_INFO, 10.12.8: the contents of an index, or a part of them */
    nv: struct({ indexName: name, offset: u16, nvContents: buffer(4096) }),
    /** TPMS_NV_DIGEST_CERTIFY_INFO, 10.12.9: answered where size and offset are both zero */
    nvDigest: struct({ indexName: name, nvDigest: digest }),
    /** TPMS_TIME_ATTEST_INFO, 10.12.2 */
    time: struct({ time: TimeInfo, firmwareVersion: u64 }),
    /** TPMS_SESSION_AUDIT_INFO, 10.12.6 */
    sessionAudit: struct({ exclusiveSession: yesNo, sessionDigest: digest }),
    /** TPMS_COMMAND_AUDIT_INFO, 10.12.5 */
    commandAudit: struct({ auditCounter: u64, digestAlg: alg, auditDigest: digest, commandDigest: digest }),
  }),
});
export type Attest = Infer<typeof Attest>;
/** `AttestOf<'quote'>`: the arm of one type. */
export type AttestOf<T extends Attest['type']> = Extract<Attest, { type: T }>;
