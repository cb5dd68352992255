/** Rows 11 to 15 as the device sees them: the decision once its leaf is deposited, then, for a permit, how the payment ended. */
import { asFault } from '../../src/base/fault.js';
import { type Answer, decisionBody, executionBody, openBody } from '../answer.js';
import type { Verifier } from '../context.js';
import type { Connection } from './connection.js';

/** @throws Fault deposit.unavailable: then nothing was told and no token exists */
export async function deliver(v: Verifier, connection: Connection, answer: Answer, re: string): Promise<void> {
  connection.send('decision', await decisionBody(v, answer), re);
  if (!answer.permitted) return;
  const { paymentId } = answer.body;
  const payment = await v.store.payment(paymentId);
  if (!payment) return;
  try {
    connection.send('execution', await executionBody(v, paymentId, await v.settlement.settle(payment)), re);
  } catch (error) {
    v.logger.warn({ paymentId, code: asFault(error).code, err: asFault(error).cause }, 'payment is still open');
    connection.send('execution', await openBody(v, paymentId), re);
  }
}
