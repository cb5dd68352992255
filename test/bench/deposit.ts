/** The deposit chain: leaves through the real store, and proofs against the length of the log. */
import { join } from 'node:path';
import { logSigner } from '../../src/deposit/note.js';
import { writeCheckpoint } from '../../src/deposit/checkpoint.js';
import { inclusionProof, nodesOf } from '../../src/deposit/paths.js';
import { verifyProof, writeProof } from '../../src/deposit/proof.js';
import { leafNode, rootOfLeaves } from '../../src/deposit/tree.js';
import { DepositLog } from '../../verifier/log.js';
import { openStore } from '../../verifier/store/store.js';
import { leaf, NOW, ORIGIN } from '../verifier/store/world.js';
import { interleave, median, perSecond, ratioOf, row, type Row } from './harness.js';
import { inFolder, withDisk } from './place.js';

const LENGTHS = [1_000, 10_000, 100_000];
const TOGETHER = 64;
const signer = logSigner(ORIGIN, Buffer.alloc(32, 7));

/** Leaves, alone and together, beside the disk itself: one line written and synced. */
async function appends(dir: string, synced: () => void): Promise<Row[]> {
  const store = await openStore({ path: join(dir, 'store.db') });
  const log = new DepositLog(store, signer);
  let n = 0;
  const deposit = (): Promise<unknown> => { n++; return log.record(leaf(`evt_${n}`, 'rules_changed', `crr_${n % 10}`), NOW + n); };
  await deposit();
  const { alone, together, disk, proof } = await interleave({
    alone: deposit,
    together: () => Promise.all(Array.from({ length: TOGETHER }, deposit)),
    disk: synced,
    proof: () => log.proof(n >> 1),
  }, { rounds: 40 });
  await store.close();
  const beside = { what: 'one write and fdatasync at a time', value: perSecond(median(disk)) };
  const each = together.map((ms) => ms / TOGETHER);
  return [
    row('leaves deposited one at a time, each with its proof', perSecond(median(alone)), '/s', { beside, ratio: ratioOf(disk, alone) }),
    row(`leaves deposited ${TOGETHER} at once, each with its proof`, perSecond(median(each)), '/s', { beside, ratio: ratioOf(disk, each), headline: true }),
    row('proofs from the store', perSecond(median(proof)), '/s'),
  ];
}

/** Proofs of a log of this length, held in memory. */
async function proofs(size: number): Promise<Row[]> {
  const text = (index: number): string => `leaf ${index}`;
  const leaves = Array.from({ length: size }, (_, index) => leafNode(text(index)));
  const checkpoint = writeCheckpoint({ size, root: rootOfLeaves(leaves) }, signer);
  const node = nodesOf((index) => leaves[index]!);
  const vkeys = [signer.vkey];
  let at = 0;
  const next = (): number => (at = (at + 7919) % size);
  const prove = (index: number): string => writeProof({ index, hashes: inclusionProof(index, size, node), checkpoint });
  const whole = prove(size >> 1);
  const samples = await interleave({ make: () => prove(next()), check: () => verifyProof(text(size >> 1), whole, vkeys) }, { rounds: 20, calls: 50 });
  const log = `a log of ${size.toLocaleString('en')} leaves`;
  return [
    row(`proofs made, ${log}`, perSecond(median(samples.make)), '/s'),
    row(`proofs checked with their checkpoint, ${log}`, perSecond(median(samples.check)), '/s', { headline: size === LENGTHS.at(-1) }),
    row(`size of a proof, ${log}`, whole.length, 'bytes'),
  ];
}

export const run = (): Promise<Row[]> => inFolder(async (dir) => {
  const rows = await withDisk(dir, (sync) => appends(dir, sync));
  for (const size of LENGTHS) rows.push(...await proofs(size));
  return rows;
});
