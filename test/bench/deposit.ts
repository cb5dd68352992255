/** The deposit chain: leaves through the real store, and proofs against the length of the log. */
import { join } from 'node:path';
import { logSigner } from '../../src/deposit/note.js';
import { appendLeaves, type Sequenced } from '../../src/deposit/checkpoint.js';
import { verifyProof, writeProof } from '../../src/deposit/proof.js';
import { EMPTY_TREE, type TreeState } from '../../src/deposit/tree.js';
import { DepositLog } from '../../verifier/log.js';
import { openStore } from '../../verifier/store/store.js';
import type { StoredLeaf } from '../../verifier/store/verbs.js';
import { Tiles } from '../../verifier/tiles/tiles.js';
import { leaf, NOW, ORIGIN } from '../verifier/store/world.js';
import { interleave, median, perSecond, ratioOf, row, timed, type Row } from './harness.js';
import { inFolder, withDisk } from './place.js';

const LENGTHS = [1_000, 10_000, 100_000, 1_000_000];
const TOGETHER = 64;
const signer = logSigner(ORIGIN, Buffer.alloc(32, 7));

/** Leaves, alone and together, beside the disk itself: one line written and synced. */
async function appends(dir: string, synced: () => void): Promise<Row[]> {
  const store = await openStore({ path: join(dir, 'store.db') });
  const log = new DepositLog(store, signer, { dir: join(dir, 'log') });
  let n = 0;
  const deposit = (): Promise<unknown> => { n++; return log.record(leaf(`evt_${n}`, 'rules_changed', `crr_${n % 10}`), NOW + n); };
  await deposit();
  const { alone, together, disk, proof } = await interleave({
    alone: deposit,
    together: () => Promise.all(Array.from({ length: TOGETHER }, deposit)),
    disk: synced,
    proof: () => log.proof(n >> 1),
  }, { rounds: 40 });
  await log.close();
  await store.close();
  const beside = { what: 'one write and fdatasync at a time', value: perSecond(median(disk)) };
  const each = together.map((ms) => ms / TOGETHER);
  return [
    row('leaves deposited one at a time, each with its proof', perSecond(median(alone)), '/s', { beside, ratio: ratioOf(disk, alone) }),
    row(`leaves deposited ${TOGETHER} at once, each with its proof`, perSecond(median(each)), '/s', { beside, ratio: ratioOf(disk, each), headline: true }),
    row('proofs from the store', perSecond(median(proof)), '/s'),
  ];
}

/** A log that grows: its leaves follow from their numbers, so that a million of them need no store. */
class Growing {
  private state: TreeState | Sequenced = EMPTY_TREE;
  readonly tiles: Tiles;
  committed!: Sequenced;

  constructor(dir: string) {
    const leaves = (from: number, to: number): Promise<StoredLeaf[]> => Promise.resolve(Array.from({ length: to - from }, (_, i) => ({ idx: from + i, eventId: '', chain: '', seq: 0, leafHash: '', leaf: text(from + i) })));
    this.tiles = new Tiles(dir, { leaves, checkpoint: () => Promise.resolve(this.committed) });
  }

  /** Until it is written. */
  async grow(size: number): Promise<void> {
    while (this.state.size < size) await this.add(Math.min(1024, size - this.state.size));
    await this.tiles.written();
  }

  /** Until its proofs are there. */
  async add(leaves = 1): Promise<void> {
    this.committed = this.state = appendLeaves(signer)(this.state, Array.from({ length: leaves }, (_, i) => text(this.state.size + i)));
    await this.tiles.grow(this.committed);
  }

  prove = async (index: number): Promise<string> => writeProof({ index, hashes: await this.tiles.inclusion(index, this.committed), checkpoint: this.committed.note });
}

/** As long as a decision's leaf. */
const text = (index: number): string => `leaf ${index} `.padEnd(620, 'x');

/** Proofs of a log of this length, from its tiles on disk; `next` is a place far from the one before. */
async function proofs(log: Growing, size: number): Promise<Row[]> {
  const growth = await timed(() => log.grow(size));
  let at = 0;
  const next = (): number => (at = (at + 7919 * 31) % size);
  const whole = await log.prove(size >> 1);
  const { make, last, check, one } = await interleave({
    make: () => log.prove(next()), last: () => log.prove(size - 1), check: () => verifyProof(text(size >> 1), whole, [signer.vkey]), one: () => log.add(),
  }, { rounds: 20, calls: 20 });
  const name = `a log of ${size.toLocaleString('en')} leaves`;
  const longest = size === LENGTHS.at(-1);
  return [
    ...(longest ? [row(`leaves written as tiles, up to ${name}`, perSecond(growth / (size * 0.9)), '/s')] : []),
    row(`one more leaf taken in, ${name}`, median(one), 'ms'),
    row(`proof of the newest leaf, ${name}`, median(last), 'ms'),
    row(`proofs of leaves anywhere, ${name}`, perSecond(median(make)), '/s', { headline: longest }),
    row(`proofs checked with their checkpoint, ${name}`, perSecond(median(check)), '/s', { headline: longest }),
    row(`size of a proof, ${name}`, whole.length, 'bytes'),
    ...(longest ? [row(`memory of the process with ${name}`, process.memoryUsage().rss / 2 ** 20, 'MB')] : []),
  ];
}

export const run = (): Promise<Row[]> => inFolder(async (dir) => {
  const rows = await withDisk(dir, (sync) => appends(dir, sync));
  const log = new Growing(join(dir, 'long'));
  for (const size of LENGTHS) rows.push(...await proofs(log, size));
  return rows;
});
