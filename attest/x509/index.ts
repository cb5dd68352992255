/** Certificates and revocation lists, read strictly and judged offline. */
export { type BlockList, blockList, blocked, firmwareText } from './blocklist.js';
export { type Certificate, readCertificate } from './certificate.js';
export { type RevocationList, type Revocations, readCrls, revoked } from './crl.js';
export { readAuthoritySet } from './dataset.js';
export { type Description, describeCertificate } from './describe.js';
export { readCertificateFile } from './input.js';
export { type Oddity, TPM_MAKERS } from './oddities.js';
export { type PathAnswer, type PathQuestion, findPath } from './path.js';
export { type AnchorUse, type PinnedRoot, pinRoots, readPem } from './roots.js';
export { AK_PURPOSE, EK_PURPOSE, type TpmModel, attestation, endorsement, toleranceFor, tpmOf, tpmPurpose } from './tpm.js';
