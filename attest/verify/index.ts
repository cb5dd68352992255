/** Verification of evidence: platform parts, payments, and the attestation result that follows. */
export { appraisePlatform } from './platform.js';
export { appraisePayment } from './payment.js';
export { EAR_LIFE_S, earOf, type EarInput } from './ear.js';
export { decodePlatformAppraisal, encodePlatformAppraisal, keptOf, readKept } from './kept.js';
