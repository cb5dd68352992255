/** A user's word against a payment that was settled. It moves no money: it is deposited, and what it leads to is a refund, or none. */
import { fault } from '../src/base/fault.js';
import type { UserOrder } from '../src/objects/carrier.js';
import { type Verified, tokenHash } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { orderEvent } from './events.js';
import { depositPermit, permittedOf } from './permitted.js';
import { resultLeaf } from './receipts.js';
import { payer } from './submit.js';

/** The same order again is the same dispute. @throws Fault intake.not_found, intake.malformed (another order than a dispute), refund.not_settled, deposit.unavailable */
export async function dispute(v: Verifier, { value: { subject, action, sub, iat }, sha256 }: Verified<UserOrder>): Promise<{ subject: string; state: string }> {
  const payment = await v.store.payment(subject);
  if (!payment || (await payer(v, payment)) !== sub) throw fault('intake.not_found', { what: subject });
  if (action !== 'dispute') throw fault('intake.malformed', { what: `order: a payment cannot be the subject of ${action}` });
  const [receipt, token] = await Promise.all([v.store.receipt(subject), v.store.executionToken(subject)]);
  if (payment.state !== 'settled' || receipt === null || !token) throw fault('refund.not_settled', { state: payment.state });
  const permitted = await permittedOf(v, payment);
  const { stored: { chain } } = await depositPermit(v, permitted);
  await v.log.record({ eventId: orderEvent(sha256, iat), draft: resultLeaf(v, permitted, chain, { kind: 'disputed', execution: tokenHash(token.token), receipt: tokenHash(receipt), subject: sha256 }) }, v.now());
  return { subject, state: 'disputed' };
}
