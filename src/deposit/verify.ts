/**
 * Anyone's side of proofs: RFC 9162 sections 2.1.3.2 (inclusion) and 2.1.4.2 (consistency). The proof, and the log behind it, may be hostile:
 * a proof of another length than the positions demand, or a hash that is none, is refused before anything is computed.
 */
import { equal } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { parentNode } from './tree.js';

const refuse = (): never => { throw fault('deposit.proof'); };
const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const areHashes = (hashes: readonly Uint8Array[]): boolean => hashes.every((hash) => hash.length === 32);

/** One step from a node towards the root: on which side its sibling stands. */
type Side = 'left' | 'right';

/**
 * The siblings on the way from leaf `index` to the root of a tree of `size` leaves, leaf first. A node at the right border without a sibling moves up
 * unhashed and has no step. `level` is that of the sibling.
 */
function steps(index: number, size: number): { side: Side; level: number }[] {
  const out: { side: Side; level: number }[] = [];
  for (let level = 0, at = index, last = size - 1; last > 0; level++, at = Math.floor(at / 2), last = Math.floor(last / 2)) {
    if (at % 2 === 1) out.push({ side: 'left', level });
    else if (at < last) out.push({ side: 'right', level });
  }
  return out;
}

const climb = (from: Uint8Array, path: readonly { side: Side }[], proof: readonly Uint8Array[]): Uint8Array =>
  path.reduce((node, { side }, i) => (side === 'left' ? parentNode(proof[i]!, node) : parentNode(node, proof[i]!)), from);

/** The root to which a path leads from leaf `index` of a tree of `size` leaves; null when no such tree has such a path. A wrong path leads to a root that nobody signed. */
export function rootFrom(leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[]): Uint8Array | null {
  if (!isSize(index) || !isSize(size) || index >= size || !areHashes([leaf, ...proof])) return null;
  const path = steps(index, size);
  return proof.length === path.length ? climb(leaf, path, proof) : null;
}

/** Leaf `index` with this hash is in the tree of `size` leaves with this root. @throws Fault deposit.proof */
export function verifyInclusion(leaf: Uint8Array, index: number, size: number, proof: readonly Uint8Array[], root: Uint8Array): void {
  const found = rootFrom(leaf, index, size, proof);
  if (found === null || !equal(found, root)) refuse();
}

/**
 * The tree of `size2` begins with all leaves of the tree of `size1`, in order. Nothing continues the empty tree in a way that a proof could show:
 * `size1` = 0 is an error, so that no caller takes it for evidence.
 * @throws Fault deposit.proof
 */
export function verifyConsistency(size1: number, root1: Uint8Array, size2: number, root2: Uint8Array, proof: readonly Uint8Array[]): void {
  if (!isSize(size1) || !isSize(size2) || size1 === 0 || size1 > size2 || !areHashes([root1, root2, ...proof])) refuse();
  if (size1 === size2) {
    if (proof.length !== 0 || !equal(root1, root2)) refuse();
    return;
  }
  // The last leaf of the old tree leads to both roots. Its widest perfect subtree is common to both and starts the proof, unless it is the old tree itself.
  const shared = trailingZeros(size1);
  const path = steps(size1 - 1, size2).filter(({ level }) => level >= shared);
  const [start, rest] = size1 === 2 ** shared ? [root1, proof] : [proof[0], proof.slice(1)];
  if (start === undefined || rest.length !== path.length) return refuse();
  const old = path.map((step, i) => ({ ...step, hash: rest[i]! })).filter(({ side }) => side === 'left');
  if (!equal(climb(start, old, old.map(({ hash }) => hash)), root1) || !equal(climb(start, path, rest), root2)) refuse();
}

function trailingZeros(n: number): number {
  let zeros = 0;
  for (let rest = n; rest % 2 === 0; rest /= 2) zeros++;
  return zeros;
}
