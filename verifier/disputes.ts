/** A user's word against a payment that was settled. It moves no money: it is deposited, and ends with a refund, or with the operator's word that there is none. */
import { fault } from '../src/base/fault.js';
import type { Code } from '../src/codes.js';
import { readLeaf } from '../src/deposit/chain.js';
import type { UserOrder } from '../src/objects/carrier.js';
import { type Verified, tokenHash } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { orderEvent, rejectionEvent } from './events.js';
import { depositPermit, permittedOf } from './permitted.js';
import { resultLeaf } from './receipts.js';
import type { PaymentRow } from './store/verbs.js';
import { payer } from './submit.js';

/** The same order again is the same dispute. @throws Fault intake.not_found, intake.malformed (another order than a dispute), refund.not_settled, deposit.unavailable */
export async function dispute(v: Verifier, { value: { subject, action, sub, iat }, sha256 }: Verified<UserOrder>): Promise<{ subject: string; state: string }> {
  const payment = await v.store.payment(subject);
  if (!payment || (await payer(v, payment)) !== sub) throw fault('intake.not_found', { what: subject });
  if (action !== 'dispute') throw fault('intake.malformed', { what: `order: a payment cannot be the subject of ${action}` });
  await record(v, payment, { eventId: orderEvent(sha256, iat), code: null, subject: sha256 });
  return { subject, state: 'disputed' };
}

/** Deposits what is said about a settled payment. @throws Fault refund.not_settled, deposit.unavailable */
async function record(v: Verifier, payment: PaymentRow, { eventId, code, subject }: { eventId: string; code: Code | null; subject: string | null }): Promise<void> {
  const [receipt, token] = await Promise.all([v.store.receipt(payment.paymentId), v.store.executionToken(payment.paymentId)]);
  if (payment.state !== 'settled' || receipt === null || !token) throw fault('refund.not_settled', { state: payment.state });
  const permitted = await permittedOf(v, payment);
  const { stored: { chain } } = await depositPermit(v, permitted);
  await v.log.record({ eventId, draft: resultLeaf(v, permitted, chain, { kind: 'disputed', code, execution: tokenHash(token.token), receipt: tokenHash(receipt), subject }) }, v.now());
}

export const DISPUTE_STATES = ['none', 'open', 'refunded', 'rejected'] as const;
/** `eventId`: of the dispute that is open or was the last. */
interface Dispute { readonly state: (typeof DISPUTE_STATES)[number]; readonly eventId: string | null }

/** How the dispute of a payment stands, as its deposited leaves say it. */
export async function disputeOf(v: Verifier, paymentSha256: string): Promise<Dispute> {
  const leaves = (await v.store.leavesOfPayment(paymentSha256)).map(({ eventId, leaf }) => ({ eventId, ...readLeaf(leaf) }));
  return leaves.reduce<Dispute>((dispute, { eventId, kind, code }) => {
    if (kind === 'disputed') return code === null ? { state: 'open', eventId } : { ...dispute, state: 'rejected' };
    return kind === 'refunded' && dispute.state === 'open' ? { ...dispute, state: 'refunded' } : dispute;
  }, { state: 'none', eventId: null });
}

/** The operator's word that nothing is given back. @throws Fault intake.not_found, dispute.none, deposit.unavailable */
export async function rejectDispute(v: Verifier, paymentId: string): Promise<void> {
  const payment = await v.store.payment(paymentId);
  if (!payment) throw fault('intake.not_found', { what: `payment ${paymentId}` });
  const { state, eventId } = await disputeOf(v, payment.paymentSha256);
  if (state !== 'open' || eventId === null) throw fault('dispute.none', { state });
  await record(v, payment, { eventId: rejectionEvent(eventId), code: 'dispute.rejected', subject: null });
}
