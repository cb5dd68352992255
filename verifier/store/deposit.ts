/**
 * The deposit chain as verbs. The sequencer takes what waits in the queue, gives each leaf its place in its chain and in the log, and commits leaves, size
 * and signed checkpoint together: nothing is in the log that no checkpoint covers. Two sequencers at once are safe: size moves by compare-and-swap.
 */
import type { Selectable } from 'kysely';
import { readLeaf } from '../../src/deposit/chain.js';
import { type DepositLeaf, leafHash, leafText } from '../../src/objects/leaf.js';
import { type Database, hitOne, insist, moved, type Tx } from './database.js';
import { enqueue } from './queue.js';
import type { Tables } from './tables.js';
import type { Store, StoredLeaf } from './verbs.js';

interface Placed { readonly stored: StoredLeaf; readonly leaf: DepositLeaf }
type Queued = Selectable<Tables['log_queue']>;

const leafRow = (row: Selectable<Tables['log_leaves']>): StoredLeaf => ({ idx: Number(row.idx), eventId: row.event_id, chain: row.chain, seq: Number(row.seq), leafHash: row.leaf_hash, leaf: row.leaf });

/** The state of the log, held to the end: of several processes one sequences at a time, and who waited finds what is new. An origin that was never seen begins empty. */
async function logState(tx: Tx, origin: string): Promise<{ size: number; frontier: string }> {
  await tx.insertInto('log_state').values({ origin, size: 0, frontier: '' }).onConflict((c) => c.doNothing()).execute();
  const row = await tx.updateTable('log_state').set((eb) => ({ size: eb.ref('size') })).where('origin', '=', origin).returning(['size', 'frontier']).executeTakeFirstOrThrow();
  return { size: Number(row.size), frontier: row.frontier };
}

const isLogged = async (tx: Tx, eventId: string): Promise<boolean> => (await tx.selectFrom('log_leaves').select('idx').where('event_id', '=', eventId).executeTakeFirst()) !== undefined;

/** Takes leaves off the queue, oldest first. One that stands in the log already is dropped: an event is recorded once. */
async function takeQueued(tx: Tx, max: number): Promise<Queued[]> {
  const taken = await tx.deleteFrom('log_queue').where('event_id', 'in', (eb) => eb.selectFrom('log_queue').select('event_id').orderBy('created_ms').orderBy('event_id').limit(max)).returningAll().execute();
  const ordered = taken.sort((a, b) => Number(a.created_ms - b.created_ms) || (a.event_id < b.event_id ? -1 : 1));
  const queued: Queued[] = [];
  for (const row of ordered) if (!(await isLogged(tx, row.event_id))) queued.push(row);
  return queued;
}

/** The last leaf of a chain, null before its first. */
async function tailOf(tx: Tx, chain: string): Promise<Pick<StoredLeaf, 'seq' | 'leafHash'> | null> {
  const row = await tx.selectFrom('log_leaves').select(['seq', 'leaf_hash']).where('chain', '=', chain).orderBy('seq', 'desc').limit(1).executeTakeFirst();
  return row ? { seq: Number(row.seq), leafHash: row.leaf_hash } : null;
}

/** Fills `seq` and `prev` of each leaf from the leaf before it in its chain. */
async function place(tx: Tx, first: number, queued: Queued[]): Promise<Placed[]> {
  const tails = new Map<string, Awaited<ReturnType<typeof tailOf>>>();
  const placed: Placed[] = [];
  for (const { event_id: eventId, chain, body } of queued) {
    const before = tails.has(chain) ? tails.get(chain) : await tailOf(tx, chain);
    const leaf = { ...readLeaf(body), seq: (before?.seq ?? -1) + 1, prev: before?.leafHash ?? null };
    const text = leafText(leaf);
    const stored = { idx: first + placed.length, eventId, chain, seq: leaf.seq, leafHash: leafHash(text), leaf: text };
    placed.push({ stored, leaf });
    tails.set(chain, stored);
  }
  return placed;
}

async function write(tx: Tx, { stored, leaf }: Placed): Promise<void> {
  await tx.insertInto('log_leaves').values({ idx: stored.idx, event_id: stored.eventId, chain: stored.chain, seq: stored.seq, payment_sha256: leaf.payment, leaf_hash: stored.leafHash, leaf: stored.leaf }).execute();
  if (leaf.kind !== 'permitted' || leaf.payment === null) return;
  await tx.updateTable('payments').set((eb) => ({ state: 'deposited' as const, version: eb('version', '+', 1n) })).where('payment_sha256', '=', leaf.payment).where('state', '=', 'permitted').execute();
}

async function sequence(tx: Tx, origin: string, max: number, build: Parameters<Store['sequence']>[2]): Promise<StoredLeaf[]> {
  const state = await logState(tx, origin);
  const placed = await place(tx, state.size, await takeQueued(tx, max));
  if (placed.length === 0) return [];
  const next = build(state, placed.map(({ stored }) => stored.leaf));
  if (next.size !== state.size + placed.length) throw new TypeError(`a log of ${state.size} with ${placed.length} more leaves does not have ${next.size}`);
  const written = await tx.updateTable('log_state').set({ size: next.size, frontier: next.frontier }).where('origin', '=', origin).where('size', '=', BigInt(state.size)).executeTakeFirst();
  if (!hitOne(written)) throw moved();
  for (const one of placed) await write(tx, one);
  await tx.insertInto('checkpoints').values({ size: next.size, root: next.root, note: next.note }).execute();
  return placed.map(({ stored }) => stored);
}

type Verbs = 'queueLeaf' | 'sequence' | 'leafByEvent' | 'leavesOfPayment' | 'leaves' | 'chain' | 'checkpoint' | 'putCosignature' | 'cosignatures';

export const depositVerbs = (db: Database): Pick<Store, Verbs> => ({
  queueLeaf: (leaf, nowMs) => db.write((tx) => enqueue(tx, leaf, nowMs)),
  sequence: (origin, max, build) => insist(db, (tx) => sequence(tx, origin, max, build)),

  leafByEvent: (eventId) => db.read(async (tx) => {
    const row = await tx.selectFrom('log_leaves').selectAll().where('event_id', '=', eventId).executeTakeFirst();
    return row ? leafRow(row) : null;
  }),

  leavesOfPayment: (paymentSha256) => db.read(async (tx) => (await tx.selectFrom('log_leaves').selectAll().where('payment_sha256', '=', paymentSha256).orderBy('idx').execute()).map(leafRow)),

  leaves: (from, to) => db.read(async (tx) => (await tx.selectFrom('log_leaves').selectAll().where('idx', '>=', BigInt(from)).where('idx', '<', BigInt(to)).orderBy('idx').execute()).map(leafRow)),

  chain: (chain) => db.read(async (tx) => (await tx.selectFrom('log_leaves').selectAll().where('chain', '=', chain).orderBy('seq').execute()).map(leafRow)),

  checkpoint: (size) => db.read(async (tx) => {
    const all = tx.selectFrom('checkpoints').selectAll();
    const row = await (size === undefined ? all.orderBy('size', 'desc').limit(1) : all.where('size', '=', BigInt(size))).executeTakeFirst();
    return row ? { size: Number(row.size), root: row.root, note: row.note } : null;
  }),

  putCosignature: ({ size, witness, line }) => db.write(async (tx) => {
    await tx.insertInto('cosignatures').values({ size, witness, line }).onConflict((c) => c.columns(['size', 'witness']).doUpdateSet({ line })).execute();
  }),

  cosignatures: (size) => db.read(async (tx) => (await tx.selectFrom('cosignatures').select('line').where('size', '=', BigInt(size)).orderBy('witness').execute()).map(({ line }) => line)),
});
