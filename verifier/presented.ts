/**
 * What settlement asks of whoever brings an execution token. F's signature says that the payment was permitted; it does not say that the bearer is meant to
 * be paid by the agent. The closed mandate does: the agent's key K_a signed it for this one payment, AP2 shows it to the payee and to nobody else, and the
 * token is bound to it twice, by its hash and by the thumbprint of K_a (`cnf.jkt`). So a token that was copied from a log or a proxy captures nothing, and an
 * issuer that makes tokens up has no closed mandate to go with them. Whoever has both can still only pay this payee, once, and no more than was permitted.
 *
 * Where nobody captures, the token is redeemed in the transaction that releases it (settle.ts) and is nobody's to bring.
 */
import { Fault, fault } from '../src/base/fault.js';
import type { ExecutionToken } from '../src/objects/settlement.js';
import { closedHash, openPresented } from '../src/sdjwt/index.js';

/** As the payee was shown them. */
export interface Presentation { readonly mandate: string; readonly closedMandate: string }

/** @throws Fault token.holder */
export function assertPresented({ closedSha256, cnf, paymentSha256, payee, amount }: ExecutionToken, { mandate, closedMandate }: Presentation): void {
  if (closedHash(closedMandate) !== closedSha256) throw fault('token.holder', { what: 'it is another one' });
  const { closed } = opened(closedMandate, mandate, cnf.jkt);
  const same = {
    'another payment': closed.riskData.ari.paymentSha256 === paymentSha256,
    'another payee': closed.payee.id === payee.id && (closed.payee.website ?? null) === payee.origin,
    'another amount': closed.paymentAmount.amount === amount.amount && closed.paymentAmount.currency === amount.currency,
  };
  const wrong = Object.entries(same).find(([, equal]) => !equal);
  if (wrong) throw fault('token.holder', { what: `it is for ${wrong[0]}` });
}

function opened(...presented: Parameters<typeof openPresented>): ReturnType<typeof openPresented> {
  try {
    return openPresented(...presented);
  } catch (error) {
    if (error instanceof Fault && error.code === 'mandate.closed') throw new Fault('token.holder', { what: error.message }, error);
    throw error;
  }
}
