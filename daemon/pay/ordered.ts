/** The payment of an order of another payment protocol, as the gate of the proxy needs it. */
import type { Agent, Ordered, PayeeOrder, Peer } from '../ports.js';
import { type Payment, viewOf } from './book.js';
import { requestOf } from './intent.js';
import { pay, type Ports } from './pay.js';

export async function payOrder(peer: Peer, agent: Agent, order: PayeeOrder, idempotencyKey: string, on: Ports): Promise<Ordered> {
  return orderedOf(await pay({ peer, agent, request: requestOf(order), order, idempotencyKey }, on));
}

/** A token stands in the book once its decision is deposited; what ended otherwise is presented to nobody. */
function orderedOf(payment: Payment): Ordered {
  const { intent: { amount, order: { termsSha256 } }, decision, proof, result, state } = payment;
  const token = decision === 'permit' && (state === 'released' || state === 'settled') ? (result?.execution ?? null) : null;
  const presented = token === null || proof === null ? null : { execution: token, mandate: proof.mandate, closedMandate: proof.closedMandate };
  return { view: viewOf(payment), agreed: { sha256: termsSha256, amount }, presented };
}
