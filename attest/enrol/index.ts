/** Enrolment, the verifier's side. Certificates are needed here only: relying parties that verify bundles never load them. */
export { type PinnedRoot, pinRoots } from '../x509/roots.js';
export { certifyingData, challengeFor, checkAnswer, enrolmentAnswer } from './challenge.js';
export { checkEnrolment, deviceRecordOf, type EnrolmentFacts } from './enrolment.js';
export { assertCertified, type ProviderKey } from './provider.js';
export { assertNotBlocked, onlyRoots, type TpmTrust } from './provenance.js';
