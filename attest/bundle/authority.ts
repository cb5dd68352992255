/** Edges between user, agent, carrier and request: who authorised what. */
import { asKnown } from '../../src/law/index.js';
import { claim, claimSame } from './claim.js';
import type { Facts } from './facts.js';

/** The user authorised exactly this agent version, and the mandate was alive. */
export function mandateAgent({ mandate, manifest, manifestSha256, atS }: Facts): void {
  const { agent, nbf, exp } = mandate().mandate.value;
  claimSame({ 'the hash of the manifest': [agent.manifestSha256, manifestSha256] }, 'mandate.agent_mismatch');
  claimSame({ 'the agent': [agent.id, manifest().value.agent.id], 'the version': [agent.version, manifest().value.agent.version] }, 'mandate.agent_mismatch');
  claim(nbf <= atS() && atS() < exp, 'the mandate is not valid at this time', 'mandate.expired');
}

/** The agent that was measured is measured against this manifest, which a trusted publisher signed in its own name. */
export function manifestAgent({ manifest, evidence }: Facts): void {
  const { value, sha256 } = manifest();
  const { agent } = evidence().payment;
  claimSame({ 'the agent': [agent.agentId, value.agent.id], 'the hash of the manifest': [agent.manifestSha256, sha256] }, 'agent.version_not_authorised');
  claimSame({ 'the publisher': [value.agent.publisher, value.iss] }, 'agent.manifest');
}

/** The mandate spends from this carrier of the same user, under the rules that the user knew or, revision by revision, tighter ones. */
export function mandateCarrier({ mandate, carrier, revisions, atS }: Facts): void {
  const { value } = mandate().mandate;
  const { jti, sub, nbf, exp } = carrier().value;
  claimSame({ 'the carrier': [value.carrier.id, jti], 'the user': [value.sub, sub] }, 'carrier.unknown');
  claim(asKnown(value.carrier.rulesSha256, carrier().value, revisions().map((one) => one.value)), 'the rules are neither those that the mandate names nor, step by step, tighter ones', 'carrier.rules');
  claim(nbf <= atS() && atS() < exp, 'the carrier is not valid at this time', 'carrier.expired');
}

/** What is paid for is the order that the request names. */
export function intentOrder({ bundle, closed }: Facts): void {
  claimSame({ 'the hash of the terms': [bundle.intent.order.termsSha256, closed().closed.transactionId] }, 'mandate.closed');
}

/** The agent's key, which the mandate names, closed this mandate for the audience and nonce of the binding. Checked by opening it. */
export function closedMandate({ closed, mandateSha256 }: Facts): void {
  claimSame({ 'the hash of the mandate': [closed().binding.sdHash, mandateSha256] }, 'mandate.closed');
}

/** The closed mandate is for this request: payee, amount, carrier, and its hash. */
export function closedIntent({ bundle: { intent }, closed, paymentSha256 }: Facts): void {
  const { riskData, payee, paymentAmount, paymentInstrument } = closed().closed;
  claimSame({
    'the payee': [payee.id, intent.payee.id],
    'the amount': [paymentAmount.amount, intent.amount.amount],
    'the currency': [paymentAmount.currency, intent.amount.currency],
    'the carrier': [paymentInstrument.id, intent.carrierId],
    'the hash of the request': [riskData.ari.paymentSha256, paymentSha256],
  }, 'mandate.closed');
}
