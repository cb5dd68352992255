/** The log's side of proofs: inclusion and consistency paths, RFC 6962 sections 2.1.1 and 2.1.2. They are checked in verify.ts. */
import { fault } from '../base/fault.js';
import { parentNode } from './tree.js';

/** Gives the root of the perfect subtree of 2^level leaves that begins at leaf index * 2^level. Tiles of height 8 answer this directly. */
export type NodeReader = (level: number, index: number) => Uint8Array;

/** A reader over leaf hashes. Inner nodes are computed once: a perfect subtree of an append-only tree never changes, so the reader may be kept while the tree grows. */
export function nodesOf(leaf: (index: number) => Uint8Array): NodeReader {
  const known = new Map<string, Uint8Array>();
  const node: NodeReader = (level, index) => {
    if (level === 0) return leaf(index);
    const key = `${level}/${index}`;
    const hash = known.get(key) ?? parentNode(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
    known.set(key, hash);
    return hash;
  };
  return node;
}

function assertRange(ok: boolean, what: string): void {
  if (!ok) throw fault('deposit.malformed', { what });
}

/** The largest power of two below n, for n > 1. */
function splitOf(n: number): { width: number; level: number } {
  let width = 1;
  let level = 0;
  for (; width * 2 < n; width *= 2) level++;
  return { width, level };
}

/** MTH(D[from:to]); `from` is a multiple of the widest perfect subtree in the range. */
function range(from: number, to: number, node: NodeReader): Uint8Array {
  if (to - from === 1) return node(0, from);
  const { width, level } = splitOf(to - from);
  if (width * 2 === to - from) return node(level + 1, from / (width * 2));
  return parentNode(node(level, from / width), range(from + width, to, node));
}

/** MTH(D[0:size]), for a size above 0. */
export const rootAt = (size: number, node: NodeReader): Uint8Array => range(0, size, node);

/** PATH(m, D[n]): the hashes from leaf to root. @throws Fault deposit.malformed when the leaf is not in the tree */
export function inclusionProof(index: number, size: number, node: NodeReader): Uint8Array[] {
  assertRange(Number.isSafeInteger(index) && index >= 0 && index < size, `leaf ${index} is not in a tree of ${size}`);
  const path = (from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from).width;
    return index < middle ? [...path(from, middle), range(middle, to, node)] : [...path(middle, to), range(from, middle, node)];
  };
  return path(0, size);
}

/** PROOF(m, D[n]): that the tree of `size2` continues the tree of `size1`. Empty when they are the same. @throws Fault deposit.malformed */
export function consistencyProof(size1: number, size2: number, node: NodeReader): Uint8Array[] {
  assertRange(Number.isSafeInteger(size1) && size1 > 0 && size1 <= size2, `a tree of ${size2} cannot be shown to continue one of ${size1}`);
  const sub = (from: number, to: number, whole: boolean): Uint8Array[] => {
    if (to === size1) return whole ? [] : [range(from, to, node)];
    const middle = from + splitOf(to - from).width;
    return size1 <= middle ? [...sub(from, middle, whole), range(middle, to, node)] : [...sub(middle, to, false), range(from, middle, node)];
  };
  return sub(0, size2, true);
}
