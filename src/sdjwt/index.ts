/** SD-JWT (RFC 9901) with AP2's delegate chain: the mandate and the closed mandate as tokens. ES256 only. */
export { type OpenedMandate, issueMandate, mandateHash, openMandate } from './mandate.js';
export { type Expected, type OpenedClosed, closeMandate, closedHash, openClosed, openClosedOf, openPresented } from './closed.js';
