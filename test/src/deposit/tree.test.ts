import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_ROOT, EMPTY_TREE, append, leafNode, parentNode, rootOf, rootOfLeaves } from '../../../src/deposit/tree.js';
import { consistencyProof, inclusionProof, nodesOf } from '../../../src/deposit/paths.js';
import { verifyConsistency, verifyInclusion } from '../../../src/deposit/verify.js';
import { codeOf } from '../../support/fault.js';

const hashes = (size: number): Buffer[] => Array.from({ length: size }, (_, i) => leafNode(`leaf ${i}`));
const nodes = (leaves: Buffer[]) => nodesOf((i) => leaves[i]!);

/** RFC 6962 section 2.1, word for word. */
function mth(leaves: Buffer[]): Buffer {
  if (leaves.length < 2) return leaves[0] ?? EMPTY_ROOT;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return parentNode(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}
const sizes = fc.integer({ min: 1, max: 130 });
const pair = fc.tuple(sizes, sizes).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const flip = (bytes: Uint8Array): Buffer => { const copy = Buffer.from(bytes); copy[0]! ^= 1; return copy; };

describe('a tree that grows by its frontier', () => {
  it('has the root of RFC 6962 at every size, however the leaves arrive', () => {
    fc.assert(fc.property(pair, ([part, size]) => {
      const leaves = hashes(size);
      const grown = append(append(EMPTY_TREE, leaves.slice(0, part)), leaves.slice(part));
      expect(grown.size).toBe(size);
      expect(rootOf(grown)).toEqual(mth(leaves));
    }), { numRuns: 60 });
  });

  it('is the hash of nothing when it is empty', () => {
    expect(rootOf(EMPTY_TREE).toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it.each([
    ['fewer hashes than its size has peaks', { size: 3, frontier: append(EMPTY_TREE, hashes(1)).frontier }],
    ['more hashes than its size has peaks', { size: 2, frontier: append(EMPTY_TREE, hashes(3)).frontier }],
    ['hashes that are none', { size: 1, frontier: 'AAAA' }],
    ['a size that is no size', { size: -1, frontier: '' }],
    ['a size that is not exact', { size: 2 ** 53, frontier: '' }],
  ])('refuses a state with %s', (_, state) => {
    expect(codeOf(() => append(state, []))).toBe('deposit.malformed');
  });

  it('refuses a leaf hash that is not 32 bytes', () => {
    expect(codeOf(() => append(EMPTY_TREE, [Buffer.alloc(31)]))).toBe('deposit.malformed');
  });
});

describe('an inclusion proof', () => {
  it('leads from every leaf to the root, and from no other place, size, leaf or root', () => {
    for (const size of [1, 2, 3, 7, 8, 13, 64, 65]) {
      const leaves = hashes(size);
      const root = rootOfLeaves(leaves);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, nodes(leaves));
        verifyInclusion(leaves[index]!, index, size, proof, root);
        const refused = (...args: Parameters<typeof verifyInclusion>) => expect(codeOf(() => verifyInclusion(...args))).toBe('deposit.proof');
        refused(flip(leaves[index]!), index, size, proof, root);
        refused(leaves[index]!, index, size, proof, flip(root));
        refused(leaves[index]!, index, size, [...proof, root], root);
        refused(leaves[index]!, size, size, proof, root);
        if (size > 1) refused(leaves[index]!, (index + 1) % size, size, proof, root);
        if (proof.length > 0) refused(leaves[index]!, index, size, proof.slice(1), root);
        for (let i = 0; i < proof.length; i++) refused(leaves[index]!, index, size, proof.map((hash, j) => (i === j ? flip(hash) : hash)), root);
      }
    }
  });

  it('does not take an inner node for a leaf', () => {
    const leaves = hashes(4);
    const [left, right] = [parentNode(leaves[0]!, leaves[1]!), parentNode(leaves[2]!, leaves[3]!)];
    expect(codeOf(() => verifyInclusion(leafNode(Buffer.concat([leaves[0]!, leaves[1]!])), 0, 2, [right], rootOfLeaves(leaves)))).toBe('deposit.proof');
    expect(left).not.toEqual(leafNode(Buffer.concat([leaves[0]!, leaves[1]!])));
  });

  it('is not made for a leaf that is not there', () => {
    expect(codeOf(() => inclusionProof(3, 3, nodes(hashes(3))))).toBe('deposit.malformed');
  });

  it('needs hashes of 32 bytes', () => {
    const [leaf] = hashes(1);
    expect(codeOf(() => verifyInclusion(leaf!.subarray(1), 0, 1, [], leaf!))).toBe('deposit.proof');
  });
});

describe('a consistency proof', () => {
  it('shows that a tree continues an older one, and no other', () => {
    fc.assert(fc.property(pair, ([older, newer]) => {
      const leaves = hashes(newer);
      const [root1, root2] = [rootOfLeaves(leaves.slice(0, older)), rootOfLeaves(leaves)];
      const proof = consistencyProof(older, newer, nodes(leaves));
      verifyConsistency(older, root1, newer, root2, proof);
      const refused = (...args: Parameters<typeof verifyConsistency>) => expect(codeOf(() => verifyConsistency(...args))).toBe('deposit.proof');
      refused(older, flip(root1), newer, root2, proof);
      refused(older, root1, newer, flip(root2), proof);
      refused(older, root1, newer, root2, [...proof, root1]);
      refused(older + newer, root1, newer, root2, proof);
      proof.forEach((_, i) => refused(older, root1, newer, root2, proof.map((hash, j) => (i === j ? flip(hash) : hash))));
      if (older !== newer) refused(older, root1, newer, root2, proof.slice(1));
    }), { numRuns: 60 });
  });

  it('is no evidence about the empty tree', () => {
    expect(codeOf(() => verifyConsistency(0, EMPTY_ROOT, 1, hashes(1)[0]!, []))).toBe('deposit.proof');
    expect(codeOf(() => consistencyProof(0, 1, nodes(hashes(1))))).toBe('deposit.malformed');
  });

  it('goes red when an old leaf was replaced', () => {
    const [before, after] = [hashes(9), hashes(12)];
    after[4] = leafNode('another');
    const proof = consistencyProof(9, 12, nodes(after));
    expect(codeOf(() => verifyConsistency(9, rootOfLeaves(before), 12, rootOfLeaves(after), proof))).toBe('deposit.proof');
  });
});
