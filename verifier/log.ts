/**
 * The deposit chain's sequencer. A leaf is queued in the transaction of the event it records; here it gets its place in the tree, and nobody is told of an
 * event before its leaf is under a committed checkpoint. Leaves queued while one step runs share the next: no timer, and a lone leaf waits for nobody.
 */
import { fromB64u, type Sha256 } from '../src/base/bytes.js';
import { Fault, fault } from '../src/base/fault.js';
import { appendLeaves, peekCheckpoint } from '../src/deposit/checkpoint.js';
import type { LogSigner } from '../src/deposit/note.js';
import { inclusionProof, type NodeReader, nodesOf } from '../src/deposit/paths.js';
import { writeProof } from '../src/deposit/proof.js';
import type { LeafDraft, Store, StoredLeaf } from './store/verbs.js';

/** Leaves of one step, and of one read when the cache is filled. */
const STEP = 1024;

/** A leaf with the proof that leads from it to a signed checkpoint. */
export interface Deposited { readonly stored: StoredLeaf; readonly proof: string }

export class DepositLog {
  private readonly store: Store;
  private readonly signer: LogSigner;
  private readonly hashes: Buffer[] = [];
  private readonly node: NodeReader = nodesOf((index) => this.hashes[index]!);
  private running: Promise<void> | null = null;
  private next: Promise<void> | null = null;
  private filling: Promise<void> = Promise.resolve();

  constructor(store: Store, signer: LogSigner) {
    this.store = store;
    this.signer = signer;
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

  /** The proof of a leaf under the newest checkpoint. @throws Fault deposit.unavailable */
  proof(index: number): Promise<string> {
    return this.unavailable(async () => {
      const checkpoint = await this.store.checkpoint();
      if (!checkpoint) throw fault('deposit.unavailable');
      await this.fill(checkpoint.size);
      return writeProof({ index, hashes: inclusionProof(index, checkpoint.size, this.node), checkpoint: checkpoint.note });
    });
  }

  /** The newest signed checkpoint; of the empty log when nothing was deposited yet. */
  async checkpoint(): Promise<string> {
    const stored = await this.store.checkpoint();
    return stored?.note ?? appendLeaves(this.signer)({ size: 0, frontier: '' }, []).note;
  }

  /** Refuses a log that was continued under another name or that this process cannot read. Run once at start. @throws Fault deposit.unavailable */
  async assertOwn(): Promise<void> {
    const checkpoint = await this.store.checkpoint();
    if (checkpoint && peekCheckpoint(checkpoint.note).origin !== this.signer.origin) throw fault('deposit.unavailable');
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

  /** Leaf hashes never change once they are in the tree, so they are read once. */
  private fill(size: number): Promise<void> {
    this.filling = this.filling.catch(() => undefined).then(async () => {
      while (this.hashes.length < size) {
        const from = this.hashes.length;
        for (const leaf of await this.store.leaves(from, Math.min(size, from + STEP))) this.hashes[leaf.idx] = hashBytes(leaf.leafHash);
        if (this.hashes.length === from) throw fault('deposit.unavailable');
      }
    });
    return this.filling;
  }

  private async unavailable<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new Fault('deposit.unavailable', {}, cause);
    }
  }
}

function hashBytes(hash: Sha256): Buffer {
  const bytes = fromB64u(hash);
  if (bytes?.length !== 32) throw fault('deposit.unavailable');
  return bytes;
}
