/**
 * One TPM signature for many bindings: a Merkle tree (RFC 6962) whose root goes into qualifyingData. A lone payment is a tree of one, so that there
 * is one way only.
 */
import { fromB64u, toB64u } from '../src/base/bytes.js';
import { parentNode, rootOfLeaves } from '../src/deposit/tree.js';
import { inclusionProof, nodesOf } from '../src/deposit/paths.js';
import { type Batch, type Binding, binding, bindingLeaf } from '../src/objects/evidence.js';

/** The root to be signed over these bindings, and the place of each below it, in the same order. */
export function batchOf(bindings: readonly Binding[]): { root: Buffer; paths: Batch[] } {
  const leaves = bindings.map((each) => bindingLeaf(binding, each));
  const node = nodesOf((index) => leaves[index]!);
  const paths = leaves.map((_, index) => ({ index, size: leaves.length, path: inclusionProof(index, leaves.length, node).map(toB64u) }));
  return { root: rootOfLeaves(leaves), paths };
}

/**
 * The root that a leaf at this place leads to (RFC 9162 section 2.1.3.2), null when no tree has such a place. The path comes from the device: a
 * wrong one leads to a root that was never signed.
 */
export function rootFrom(leaf: Uint8Array, { index, size, path }: Batch): Buffer | null {
  const hashes = path.map(fromB64u);
  let node: Buffer = Buffer.from(leaf);
  let at = index;
  let last = size - 1;
  if (at > last) return null;
  for (const sibling of hashes) {
    if (sibling?.length !== 32 || last === 0) return null;
    if (at % 2 === 1 || at === last) {
      node = parentNode(sibling, node);
      while (at % 2 === 0 && at !== 0) { at >>>= 1; last >>>= 1; }
    } else {
      node = parentNode(node, sibling);
    }
    at >>>= 1;
    last >>>= 1;
  }
  return last === 0 ? node : null;
}
