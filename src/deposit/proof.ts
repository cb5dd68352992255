/**
 * Offline proof that a leaf is in the log (c2sp.org/tlog-proof@v1): index, inclusion path, and the checkpoint they lead to, in one text.
 * The optional `extra` line of the format is authenticated by nothing; none is written here, and one that arrives is refused.
 */
import { fault } from '../base/fault.js';
import { openCheckpoint } from './checkpoint.js';
import { fromB64, toB64 } from './note.js';
import { leafNode } from './tree.js';
import { verifyInclusion } from './verify.js';

const HEADER = 'c2sp.org/tlog-proof@v1';

/** A proof taken apart; nothing of it is verified. `checkpoint` is the signed note exactly as written. */
export interface TlogProof { readonly index: number; readonly hashes: readonly Uint8Array[]; readonly checkpoint: string }

export const writeProof = ({ index, hashes, checkpoint }: TlogProof): string =>
  `${[HEADER, `index ${index}`, ...hashes.map(toB64)].join('\n')}\n\n${checkpoint}`;

function parseHash(line: string): Buffer {
  const hash = fromB64(line);
  if (hash?.length !== 32) throw fault('deposit.malformed', { what: 'a line of the proof is not a hash' });
  return hash;
}

/** @throws Fault deposit.malformed */
export function parseProof(text: string): TlogProof {
  const at = text.indexOf('\n\n');
  const [header, position = '', ...path] = text.slice(0, Math.max(at, 0)).split('\n');
  const index = /^index (0|[1-9][0-9]{0,15})$/.exec(position)?.[1];
  if (header !== HEADER || index === undefined || !Number.isSafeInteger(Number(index))) throw fault('deposit.malformed', { what: `a proof begins with ${HEADER} and its index` });
  if (path.length > 53) throw fault('deposit.malformed', { what: 'the path of a proof is longer than any tree is high' });
  return { index: Number(index), hashes: path.map(parseHash), checkpoint: text.slice(at + 2) };
}

/**
 * The leaf is in the log, at the returned place, under a checkpoint that one of the log keys signed.
 * @throws Fault deposit.malformed, deposit.checkpoint, deposit.proof
 */
export function verifyProof(leafText: string, proof: string, vkeys: readonly string[]): { index: number; size: number; origin: string } {
  const { index, hashes, checkpoint } = parseProof(proof);
  const { size, root, origin } = openCheckpoint(checkpoint, vkeys);
  verifyInclusion(leafNode(leafText), index, size, hashes, root);
  return { index, size, origin };
}
