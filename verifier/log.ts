/**
 * The deposit chain's sequencer. A leaf is queued in the transaction of the event it records; here it gets its place in the tree, and nobody is told of an
 * event before its leaf is under a committed checkpoint. Leaves queued while one step runs share the next: no timer, and a lone leaf waits for nobody.
 */
import { toB64u } from '../src/base/bytes.js';
import { Fault, fault } from '../src/base/fault.js';
import { appendLeaves, type Checkpoint, openCheckpoint, peekCheckpoint } from '../src/deposit/checkpoint.js';
import { cosignatures, parseWitness, withLine } from '../src/deposit/cosignature.js';
import type { LogSigner, NoteKey } from '../src/deposit/note.js';
import { writeProof } from '../src/deposit/proof.js';
import type { Tile } from '../src/deposit/tiles.js';
import type { LeafDraft, Store, StoredLeaf } from './store/verbs.js';
import { type Committed, Tiles } from './tiles/tiles.js';

/** Leaves of one step. */
const STEP = 1024;

/**
 * That a store goes on from what was published: a store that was restored from a copy, and is older, would give the same places to other leaves, under the
 * same key. A note of another log says nothing of this one.
 * @throws Fault deposit.behind
 */
export async function assertHolds(store: Pick<Store, 'checkpoint'>, note: string, vkey: string): Promise<void> {
  const published = checkpointOf(note, vkey);
  if (published === null || published.size === 0) return;
  const held = await store.checkpoint(published.size);
  if (held?.root !== toB64u(published.root)) throw fault('deposit.behind', { size: published.size });
}

function checkpointOf(note: string, vkey: string): Checkpoint | null {
  try {
    return openCheckpoint(note, [vkey]);
  } catch {
    return null;
  }
}

/** A leaf with the proof that leads from it to a signed checkpoint. */
export interface Deposited { readonly stored: StoredLeaf; readonly proof: string }

/** `dir`: where its tiles lie. `witnesses`: vkeys of those whose cosignatures it takes. */
interface Place { readonly dir: string; readonly witnesses?: readonly string[] }

export class DepositLog {
  private readonly store: Store;
  private readonly signer: LogSigner;
  private readonly tiles: Tiles;
  private readonly witnesses: readonly NoteKey[];
  private running: Promise<void> | null = null;
  private next: Promise<void> | null = null;

  constructor(store: Store, signer: LogSigner, { dir, witnesses = [] }: Place) {
    this.store = store;
    this.signer = signer;
    this.tiles = new Tiles(dir, store);
    this.witnesses = witnesses.map(parseWitness);
  }

  /** Queues a leaf that belongs to no other transaction, and deposits it. @throws Fault deposit.unavailable */
  async record(leaf: { eventId: string; draft: LeafDraft }, nowMs: number): Promise<Deposited> {
    await this.unavailable(() => this.store.queueLeaf(leaf, nowMs));
    return this.deposit(leaf.eventId);
  }

  /** Waits until the queued leaf of an event is under a committed checkpoint. @throws Fault deposit.unavailable */
  async deposit(eventId: string): Promise<Deposited> {
    const stored = await this.unavailable(async () => {
      const before = await this.store.leafByEvent(eventId);
      if (before) return before;
      await this.step();
      return this.store.leafByEvent(eventId);
    });
    if (!stored) throw fault('deposit.unavailable');
    return { stored, proof: await this.proof(stored.idx) };
  }

  /** Deposits what is queued, without anyone waiting for it: an event that no payment follows stands in the log at once too. A failure is the next one's who waits. */
  soon(): void {
    this.step().catch(() => undefined);
  }

  /** The proof of a leaf under the newest checkpoint. @throws Fault deposit.unavailable */
  proof(index: number): Promise<string> {
    return this.unavailable(async () => {
      const newest = await this.newest();
      return writeProof({ index, hashes: await this.tiles.inclusion(index, newest), checkpoint: newest.note });
    });
  }

  /** That the log of `to` leaves, the newest when it is not said, continues that of `from`. @throws Fault deposit.malformed, deposit.unavailable */
  async consistency(from: number, to?: number): Promise<{ to: Committed; hashes: Uint8Array[] }> {
    const committed = await this.store.checkpoint(to);
    if (!committed) throw fault('intake.not_found', { what: `checkpoint of ${to ?? 0} leaves` });
    return { to: committed, hashes: await this.tiles.consistency(from, committed) };
  }

  /** The newest signed checkpoint with its cosignatures; of the empty log when nothing was deposited yet. Its tiles can be read when this returns. */
  async checkpoint(): Promise<string> {
    const stored = await this.store.checkpoint();
    if (!stored) return this.empty();
    await this.publish(stored);
    return (await this.store.cosignatures(stored.size)).reduce(withLine, stored.note);
  }

  /**
   * Takes what a known witness signed about the checkpoint of a size: one signature line.
   * @throws Fault intake.not_found (no such checkpoint); deposit.malformed, deposit.checkpoint (no known witness, or a wrong signature)
   */
  async cosign(size: number, line: string): Promise<string> {
    const stored = await this.store.checkpoint(size);
    if (!stored) throw fault('intake.not_found', { what: `checkpoint of ${size} leaves` });
    const [witness, ...more] = cosignatures(withLine(stored.note, line), this.witnesses);
    if (!witness || more.length > 0) throw fault('deposit.checkpoint');
    await this.store.putCosignature({ size, witness: witness.name, line });
    return witness.name;
  }

  tile(tile: Tile): Promise<Buffer | null> {
    return this.tiles.read(tile);
  }

  /** Refuses a log that was continued under another name or would fork, deposits what is queued, and brings the tiles up. Run once before anyone is served. @throws Fault deposit.unavailable, deposit.root, deposit.behind */
  async open(): Promise<void> {
    const published = await this.tiles.checkpoint();
    if (published !== null) await assertHolds(this.store, published, this.signer.vkey);
    const before = await this.store.checkpoint();
    if (before && peekCheckpoint(before.note).origin !== this.signer.origin) throw fault('deposit.unavailable');
    await this.unavailable(() => this.step());
    const stored = await this.store.checkpoint();
    if (stored) await this.publish(stored);
  }

  /** The tiles are those of the log when this returns. What could not be written is made again at the next start. */
  async close(): Promise<void> {
    await this.tiles.written().catch(() => undefined);
  }

  private async publish(committed: Committed): Promise<void> {
    await this.tiles.grow(committed);
    await this.tiles.written();
  }

  private async newest(): Promise<Committed> {
    const stored = await this.store.checkpoint();
    if (!stored) throw fault('deposit.unavailable');
    return stored;
  }

  private empty(): string {
    return appendLeaves(this.signer)({ size: 0, frontier: '' }, []).note;
  }

  private step(): Promise<void> {
    if (this.running === null) {
      this.running = this.sequence().finally(() => { this.running = null; });
      return this.running;
    }
    this.next ??= this.running.catch(() => undefined).then(() => {
      this.next = null;
      return this.step();
    });
    return this.next;
  }

  private async sequence(): Promise<void> {
    const build = appendLeaves(this.signer);
    for (let taken = STEP; taken === STEP;) taken = (await this.store.sequence(this.signer.origin, STEP, build)).length;
  }

  private async unavailable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new Fault('deposit.unavailable', {}, cause);
    }
  }
}
