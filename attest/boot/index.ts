/** The boot event log of the firmware, and what a quote proves of it. */
export { EV, typeName } from './events.js';
export { BOOT_LIMITS, type BootEvent, type BootLog, parseBootLog } from './log.js';
export { type PcrVerdict, type Pcrs, type Standing, compare, eventsOf, replay } from './replay.js';
export { type Authority, type SecureBoot, type SecureBootReading, readSecureBoot } from './secureboot.js';
export { type BootState, contradictions, readBoot } from './state.js';
export { type CommandLine, type UkiSection } from './system.js';
export { MEASUREMENT_REGISTERS, readCcSecureBoot } from './cc.js';
export { differences } from './differences.js';
export { learnUki } from './learnuki.js';
export { type PeImage, readPe } from './pe.js';
export { UKI_PCR, UKI_PCRS, phasesOf, predictPcr11, ukiDifference } from './uki.js';
export { type Judged, type Learnt, holdsKernel, judge, learn, union } from './reference.js';
