/** Checkpoints (c2sp.org/tlog-checkpoint): the signed note by which a log commits to its tree. Lines: origin, size, base64 root, optional extension lines. */
import { toB64u } from '../base/bytes.js';
import type { Sha256 } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { leafNode, type TreeState, append, rootOf } from './tree.js';
import { type LogSigner, fromB64, openNote, parseVkey, signNote, splitNote, toB64 } from './note.js';

/** What a log committed to. */
export interface Checkpoint { readonly origin: string; readonly size: number; readonly root: Buffer }

/** A signed checkpoint. */
export const writeCheckpoint = (tree: { size: number; root: Uint8Array }, signer: LogSigner): string =>
  signNote(`${signer.origin}\n${tree.size}\n${toB64(tree.root)}\n`, signer);

/** The text of a checkpoint, strictly. @throws Fault deposit.malformed */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...extensions] = text.slice(0, -1).split('\n');
  const hash = fromB64(root);
  if (!text.endsWith('\n') || origin === '' || extensions.includes('')) throw fault('deposit.malformed', { what: 'the lines of a checkpoint are not empty' });
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw fault('deposit.malformed', { what: 'the second line of a checkpoint is its size' });
  if (hash?.length !== 32) throw fault('deposit.malformed', { what: 'the third line of a checkpoint is its root hash' });
  return { origin, size: Number(size), root: hash };
}

/** A checkpoint before its signatures were verified. Only what is needed to find a proof may be read from it. @throws Fault deposit.malformed */
export const peekCheckpoint = (note: string): Checkpoint => parseCheckpoint(splitNote(note).text);

/**
 * A checkpoint of a known log: signed by one of the keys, under that key's own name as origin.
 * @throws Fault deposit.malformed, deposit.checkpoint
 */
export function openCheckpoint(note: string, vkeys: readonly string[]): Checkpoint {
  const { text, signer } = openNote(note, vkeys.map(parseVkey));
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== signer.name) throw fault('deposit.checkpoint');
  return checkpoint;
}

/** One step of a log: the next tree and its signed checkpoint. */
export interface Sequenced { readonly size: number; readonly frontier: string; readonly root: Sha256; readonly note: string }

/** The builder of a log's next state, for `Store.sequence`. Pure: the same state and leaves give the same checkpoint, so it may be called again. */
export const appendLeaves = (signer: LogSigner) => (state: TreeState, leaves: readonly string[]): Sequenced => {
  const tree = append(state, leaves.map(leafNode));
  const root = rootOf(tree);
  return { ...tree, root: toB64u(root), note: writeCheckpoint({ size: tree.size, root }, signer) };
};
