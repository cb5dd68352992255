/** An entry of the payee directory: the carrier issuer's word what a payee sells. The scenario is never the agent's. */
import { name, record, seconds, url } from '../base/shape.js';
import { signedKind } from './signed.js';

/** `origin`: of the payee that was asked for; null when its id alone names it. */
export const payeeEntry = record({ iss: url, iat: seconds, payeeId: name(256), origin: url.nullable(), scenario: name() });
export const PAYEE_ENTRY = signedKind('ari-payee+jwt', 'carrier', payeeEntry);
