/** Edges from the decision to the money: the token, the receipt, and the leaf of the result. */
import { canonical } from '../../src/base/json.js';
import { verifyProof } from '../../src/deposit/proof.js';
import { claim, claimSame } from './claim.js';
import { namedBy } from './deposit.js';
import type { Facts } from './facts.js';

/** Longest life of an execution token, s. */
const TOKEN_LIFE_S = 120;

/** The token is for exactly what this decision permitted, to the agent's key, and lived only shortly after it. */
export function executionDecision({ execution, decision, bundle: { intent }, paymentSha256, closedSha256, evidence }: Facts): void {
  const { value } = execution();
  const { value: decided, sha256 } = decision();
  claim(decided.decision === 'permit', `the decision is ${decided.decision}, and a token was issued`);
  claimSame({
    'the hash of the decision': [value.decisionSha256, sha256],
    'the payment': [value.paymentId, decided.paymentId],
    'the hash of the request': [value.paymentSha256, paymentSha256],
    'the hash of the closed mandate': [value.closedSha256, closedSha256],
    'the carrier': [value.carrierId, intent.carrierId],
    'the payee': [canonical(value.payee), canonical(intent.payee)],
    'the amount': [value.amount.amount, intent.amount.amount],
    'the currency': [value.amount.currency, intent.amount.currency],
    'the bound': [value.bound, intent.bound],
    'the end of capture': [value.captureUntil, intent.captureUntil],
    'the key of the agent': [value.cnf.jkt, evidence().payment.binding.jkt],
  });
  claim(decided.iat - 5 <= value.iat && value.iat < decided.exp + 5 && value.exp - value.iat <= TOKEN_LIFE_S, 'the token does not belong to the time of the decision');
}

/** No token without its leaf: the token itself carries the proof that its decision was deposited. */
export function executionProof({ execution, bundle: { leaves }, trust }: Facts): void {
  verifyProof(leaves[0]!, execution().value.proof, trust.logs);
}

/** The receipt is for this token, from the one it was made out to, for no more than it allowed. */
export function receiptExecution({ receipt, execution }: Facts): void {
  const { value } = receipt();
  const { value: token, sha256 } = execution();
  claimSame({
    'the hash of the token': [value.executionSha256, sha256],
    'the audience of the token': [value.iss, token.aud],
    'the payment': [value.paymentId, token.paymentId],
    'the currency': [value.amount.currency, token.amount.currency],
  });
  claim(token.bound === 'max' ? value.amount.amount <= token.amount.amount : value.amount.amount === token.amount.amount, 'the amount is not that of the token');
  claim((value.status === 'Success') === (value.error === null), 'the receipt says success and an error');
}

export function receiptClosed({ receipt, closedSha256 }: Facts): void {
  claimSame({ 'the hash of the closed mandate': [receipt().value.reference, closedSha256] });
}

/** The last leaf is the result's, and names everything. */
export function settledLeaf({ leaves, receipt, execution, decision }: Facts): void {
  const leaf = leaves().at(-1)!;
  const { value, sha256 } = receipt();
  claimSame({ 'the kind': [leaf.kind, value.status === 'Success' ? 'settled' : 'failed'], 'the code': [leaf.code, value.error] });
  const named = { ...namedBy(decision()), execution: execution().sha256, receipt: sha256 };
  claimSame(Object.fromEntries(Object.entries(named).map(([name, hash]) => [`the hash ${name}`, [leaf[name as keyof typeof leaf], hash]])));
}
