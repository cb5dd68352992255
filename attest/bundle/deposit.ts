/** Edges between decision, leaves and log: what was decided was deposited, and the log stands by it. */
import { fault } from '../../src/base/fault.js';
import { equal } from '../../src/base/bytes.js';
import { openCheckpoint, peekCheckpoint } from '../../src/deposit/checkpoint.js';
import { leafNode } from '../../src/deposit/tree.js';
import { parseProof } from '../../src/deposit/proof.js';
import { verifyInclusion } from '../../src/deposit/verify.js';
import type { DecisionKind, LeafKind } from '../../src/names.js';
import type { Decision } from '../../src/objects/decision.js';
import { leafHash } from '../../src/objects/leaf.js';
import type { Verified } from '../../src/objects/signed.js';
import { claim, claimSame } from './claim.js';
import type { Facts } from './facts.js';

const LEAF_OF: Record<DecisionKind, LeafKind> = { permit: 'permitted', confirm: 'confirm_required', deny: 'denied' };

/** What a decision's leaf, and the leaf of its result, must name. */
export const namedBy = ({ value: { inputs }, sha256 }: Verified<Decision>) => ({
  payment: inputs.paymentSha256, mandate: inputs.mandateSha256, carrier: inputs.carrierSha256, ear: inputs.earSha256, confirmation: inputs.confirmationSha256, decision: sha256,
});

/** The first leaf is the decision's: its kind, its code, its time, and the hashes of all it rests on. */
export function leafDecision({ leaves, decision }: Facts): void {
  const [leaf] = leaves();
  const { value } = decision();
  claimSame({ 'the kind': [leaf.kind, LEAF_OF[value.decision]], 'the code': [leaf.code, value.code] });
  claimSame(Object.fromEntries(Object.entries(namedBy(decision())).map(([name, hash]) => [`the hash ${name}`, [leaf[name as keyof typeof leaf], hash]])));
  claim(value.iat * 1000 - 5000 <= leaf.tsMs && leaf.tsMs < value.exp * 1000 + 5000, 'the leaf was not made at the time of the decision');
}

/** The leaves stand in one chain, one behind the other, and are about this payment. */
export function leafChain({ leaves, bundle, paymentSha256 }: Facts): void {
  leaves().forEach((leaf, i) => {
    claimSame({ 'the payment of a leaf': [leaf.payment, paymentSha256] });
    claim((leaf.seq === 0) === (leaf.prev === null), `leaf ${i} has no place in a chain`);
    const before = leaves()[i - 1];
    if (before === undefined) return;
    claim(leaf.chain === before.chain && leaf.seq > before.seq && leaf.tsMs >= before.tsMs, `leaf ${i} does not follow in its chain`);
    claim(leaf.seq > before.seq + 1 || leaf.prev === leafHash(bundle.leaves[i - 1]!), `leaf ${i} does not name the leaf before it`);
  });
}

/** Each leaf is in the tree of its checkpoint, in the order of the chain. Whose checkpoint it is, is the next edge. */
export function proofLeaf({ bundle: { leaves, proofs } }: Facts): void {
  claim(leaves.length === proofs.length, 'not every leaf has its proof');
  const places = leaves.map((leaf, i) => {
    const { index, hashes, checkpoint } = parseProof(proofs[i]!);
    const { size, root } = peekCheckpoint(checkpoint);
    verifyInclusion(leafNode(leaf), index, size, hashes, root);
    return index;
  });
  claim(places.every((place, i) => i === 0 || place > places[i - 1]!), 'the leaves stand in another order in the log');
}

/** A trusted log signed the checkpoints, and no two roots for one size. */
export function checkpointKey({ bundle: { proofs }, trust }: Facts): void {
  const checkpoints = proofs.map((proof) => openCheckpoint(parseProof(proof).checkpoint, trust.logs));
  for (const { origin, size, root } of checkpoints) {
    claim(origin === checkpoints[0]!.origin, 'the proofs are of different logs');
    if (checkpoints.some((other) => other.size === size && !equal(other.root, root))) throw fault('deposit.fork', { size });
  }
}
