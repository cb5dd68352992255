/** Bytes to descriptions: what `ari inspect` prints. */
export { INSPECT_LIMIT, meantBytes } from './input.js';
export { inspectEvidence } from './evidence.js';
export { coveredBy, inspectEventLog, inspectIma, supposedState } from './logs.js';
export { type PcrTable, type QuoteReport, inspectQuote } from './quote.js';
export { describeAttest, describePublic, readAttestation, readPublic } from './structures.js';
