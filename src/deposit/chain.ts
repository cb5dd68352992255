/** The auditor's two questions. Of a user: is my carrier's chain without a gap? Of anyone: are these the leaves the log committed to? */
import { type Sha256, equal, fromB64u } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { parse } from '../base/shape.js';
import { type DepositLeaf, depositLeaf, leafHash, leafText } from '../objects/leaf.js';
import type { Checkpoint } from './checkpoint.js';
import { append, EMPTY_TREE, leafNode, rootOf } from './tree.js';

/** A leaf from its bytes in the log. A second spelling of the same leaf would be a second leaf: only the canonical one is taken. @throws Fault deposit.malformed */
export function readLeaf(text: string): DepositLeaf {
  const leaf = parse(depositLeaf, text, 'leaf');
  if (leafText(leaf) !== text) throw fault('deposit.malformed', { what: 'the leaf is not in canonical form' });
  return leaf;
}

/** True when `next` follows `before` (null: begins) in one chain: same chain, next number, hash of the text before. */
function follows(before: { leaf: DepositLeaf; text: string } | null, next: DepositLeaf): boolean {
  if (before === null) return next.seq === 0 && next.prev === null;
  return next.chain === before.leaf.chain && next.seq === before.leaf.seq + 1 && next.prev === leafHash(before.text);
}

/**
 * All leaves of one chain, in order, from its first.
 * @throws Fault deposit.chain naming the first place that does not follow; a fault of the text of a leaf
 */
export function verifyChain(texts: readonly string[]): DepositLeaf[] {
  let before: { leaf: DepositLeaf; text: string } | null = null;
  return texts.map((text, seq) => {
    const leaf = readLeaf(text);
    if (!follows(before, leaf)) throw fault('deposit.chain', { seq });
    before = { leaf, text };
    return leaf;
  });
}

/** A leaf as a log's copy holds it: its text and the hash that the log says it has. */
export interface CopiedLeaf { readonly leaf: string; readonly leafHash: Sha256 }

function assertLeaf({ leaf, leafHash }: CopiedLeaf, index: number): Buffer {
  const hash = leafNode(leaf);
  if (!equal(hash, fromB64u(leafHash) ?? Buffer.alloc(0))) throw fault('deposit.leaf', { index });
  return hash;
}

/**
 * A whole copy of the log against a verified checkpoint: every text has its hash, and the hashes give the root.
 * @throws Fault deposit.leaf naming the first leaf whose text is not that of its hash; deposit.root when the hashes are not those of the checkpoint
 */
export function auditLeaves(copies: readonly CopiedLeaf[], checkpoint: Checkpoint): void {
  const hashes = copies.map(assertLeaf);
  if (copies.length !== checkpoint.size || !equal(rootOf(append(EMPTY_TREE, hashes)), checkpoint.root)) throw fault('deposit.root');
}
