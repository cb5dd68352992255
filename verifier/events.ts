/** Ids of deposited events. They follow from what is recorded, so that recovery finds the leaf of an event and cannot record it a second time. */
import { digest } from '../src/base/bytes.js';
import { newId } from '../src/base/id.js';
import { tokenHash } from '../src/objects/signed.js';

const eventId = (atMs: number, ...what: string[]): string => newId('evt', atMs, digest('ari-event', ...what.map((part) => `\0${part}`)));

export const decisionEvent = (decisionToken: string, decidedMs: number): string => eventId(decidedMs, 'decision', tokenHash(decisionToken));
/** `atMs`: when the execution token was issued. */
export const resultEvent = (jti: string, atMs: number): string => eventId(atMs, 'result', jti);
export const refundEvent = (refundId: string): string => eventId(0, 'refund', refundId);
/** Of one dispute: the same rejection twice is one event. */
export const rejectionEvent = (disputeEvent: string): string => eventId(0, 'rejection', disputeEvent);
/** What a user signed: the token's own hash names the event, so one token makes one event. */
export const orderEvent = (tokenSha256: string, iatS: number): string => eventId(iatS * 1000, 'order', tokenSha256);
export const allowanceEvent = (allowanceId: string, what: 'issued' | 'closed'): string => eventId(0, 'allowance', allowanceId, what);
