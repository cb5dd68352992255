/** Enrolment, the verifier's side. Parsing certificates is heavy and needed here only: relying parties that verify bundles never load it. */
export { type PinnedRoot, pinRoots } from './certificate.js';
export { challengeFor, checkAnswer, enrolmentAnswer } from './challenge.js';
export { checkEnrolment, deviceRecordOf, type EnrolmentFacts } from './enrolment.js';
