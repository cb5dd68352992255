/**
 * Verification for relying parties, `ari-sidecar/attest`: nothing in here opens a file or a socket, and no certificate parser is loaded. Time, policy and
 * trusted keys are arguments.
 */
export type {
  Advance, DeviceClock, ExpectedBinding, KnownDevice, LogHead, LogRow, PaymentInput, PaymentResult, PlatformAppraisal, PlatformInput, PlatformResult, Submodule,
} from './types.js';
export { appraisePayment, appraisePlatform, earOf, EAR_LIFE_S, type EarInput, decodePlatformAppraisal, encodePlatformAppraisal, keptOf, readKept } from './verify/index.js';
export { type BundleReport, type EdgeResult, type Verdict, explainBundle, verifyBundle } from './bundle.js';
export { type VoucherReport, verifyVoucher } from './voucher.js';
export { type Standing, standings } from './standing.js';
export type { Section } from './bundle/explain.js';
export { merchantCut } from './verify/merchant.js';
export { MERCHANT_EAR, type MerchantEar } from '../src/objects/merchant.js';
export { compareWithManifest } from './manifest.js';
export { extendHead, type Extended } from './head.js';
export { batchOf, rootFrom } from './batch.js';
export { type KeyFinder, type Verified, open } from '../src/objects/signed.js';
export { Fault, type Finding } from '../src/base/fault.js';
export { CODES, type Code } from '../src/codes.js';
export { parseTrust, type Trust } from '../src/objects/trust.js';
