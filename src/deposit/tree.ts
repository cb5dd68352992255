/**
 * The Merkle tree of RFC 6962 section 2.1 as an append-only log keeps it: its size and its *frontier*, the roots of the perfect subtrees that make it up,
 * widest first (one for each set bit of the size). Appending n leaves costs O(n) hashes and reads no older leaf.
 */
import { digest, fromB64u, toB64u } from '../base/bytes.js';
import { fault } from '../base/fault.js';

/** A log's state. `frontier`: base64url hashes joined by '.', empty for the empty tree. */
export interface TreeState { readonly size: number; readonly frontier: string }

export const EMPTY_TREE: TreeState = { size: 0, frontier: '' };
/** Root of the empty tree: SHA-256 of nothing. */
export const EMPTY_ROOT = digest();

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
/** MTH({d}) = SHA-256(0x00 || d): the prefix keeps a leaf from being read as a node. */
export const leafNode = (data: string | Uint8Array): Buffer => digest(LEAF, data);
/** SHA-256(0x01 || left || right). */
export const parentNode = (left: Uint8Array, right: Uint8Array): Buffer => digest(NODE, left, right);

/** A perfect subtree of 2^level leaves. */
interface Peak { level: number; hash: Buffer }

/** The levels of the peaks of a tree, highest first. Sizes pass 2^32, so they are divided, never shifted. */
function peakLevels(size: number): number[] {
  const levels: number[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) if (rest % 2 === 1) levels.unshift(level);
  return levels;
}

function readPeaks({ size, frontier }: TreeState): Peak[] {
  const texts = frontier === '' ? [] : frontier.split('.');
  const levels = Number.isSafeInteger(size) && size >= 0 ? peakLevels(size) : [];
  if (texts.length !== levels.length || (levels.length === 0 && size !== 0)) throw fault('deposit.malformed', { what: `a frontier of ${texts.length} hashes is not that of a tree of ${size} leaves` });
  return levels.map((level, i) => {
    const hash = fromB64u(texts[i]!);
    if (hash?.length !== 32) throw fault('deposit.malformed', { what: `hash ${i} of the frontier is not a SHA-256` });
    return { level, hash };
  });
}

function push(peaks: Peak[], leaf: Uint8Array): void {
  if (leaf.length !== 32) throw fault('deposit.malformed', { what: 'a leaf hash has 32 bytes' });
  let peak: Peak = { level: 0, hash: Buffer.from(leaf) };
  while (peaks.at(-1)?.level === peak.level) peak = { level: peak.level + 1, hash: parentNode(peaks.pop()!.hash, peak.hash) };
  peaks.push(peak);
}

/** The tree after these leaf hashes were added at its end. @throws Fault deposit.malformed when the state is not one that append gave */
export function append(state: TreeState, leafHashes: readonly Uint8Array[]): TreeState {
  const peaks = readPeaks(state);
  for (const leaf of leafHashes) push(peaks, leaf);
  return { size: state.size + leafHashes.length, frontier: peaks.map((peak) => toB64u(peak.hash)).join('.') };
}

/** Root hash of a tree. @throws Fault deposit.malformed */
export function rootOf(state: TreeState): Buffer {
  const hashes = readPeaks(state).map((peak) => peak.hash);
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => parentNode(left, right));
}

/** Root hash over all leaf hashes of a tree. */
export const rootOfLeaves = (leafHashes: readonly Uint8Array[]): Buffer => rootOf(append(EMPTY_TREE, leafHashes));
