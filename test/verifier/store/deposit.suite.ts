import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { openCheckpoint } from '../../../src/deposit/checkpoint.js';
import { logSigner } from '../../../src/deposit/note.js';
import type { LeafDraft } from '../../../verifier/store/verbs.js';
import { type MakeDatabase, refusal, useWorld } from './bench.js';
import { build, draft, leaf, NOW, ORIGIN } from './world.js';

export const depositSuite = (make: MakeDatabase) => describe('deposit chain', () => {
  const world = useWorld(make, false);
  const queue = (eventId: string, chain = 'a', atMs = NOW) => world.store.queueLeaf(leaf(eventId, 'denied', chain), atMs);
  const step = (max = 100) => world.store.sequence(ORIGIN, max, build);

  it('orders leaves by the time they were queued and links each chain', async () => {
    await queue('e3', 'a', NOW + 3);
    await queue('e1', 'a', NOW + 1);
    await queue('e2', 'b', NOW + 2);
    const leaves = await step();
    expect(leaves.map(({ idx, eventId, chain, seq }) => [idx, eventId, chain, seq])).toEqual([[0, 'e1', 'a', 0], [1, 'e2', 'b', 0], [2, 'e3', 'a', 1]]);
    expect(JSON.parse(leaves[2]!.leaf)).toMatchObject({ chain: 'a', seq: 1, prev: leaves[0]!.leafHash });
    expect(JSON.parse(leaves[0]!.leaf)).toMatchObject({ seq: 0, prev: null });
    await queue('e4', 'b', NOW + 4);
    expect(await step()).toMatchObject([{ idx: 3, chain: 'b', seq: 1 }]);
    expect((await world.store.chain('b')).map((one) => one.eventId)).toEqual(['e2', 'e4']);
  });

  it('commits leaves and checkpoint together, at most as many as asked', async () => {
    for (const [event, after] of [['c', 0], ['a', 2], ['b', 1]] as const) await queue(event, 'a', NOW + after);
    expect((await step(2)).map((one) => one.eventId), 'the oldest first').toEqual(['c', 'b']);
    const checkpoint = (await world.store.checkpoint())!;
    expect(checkpoint.size).toBe(2);
    expect(openCheckpoint(checkpoint.note, [logSigner(ORIGIN, Buffer.alloc(32, 7)).vkey]).size).toBe(2);
    expect(await step(2)).toHaveLength(1);
    expect(await step(2)).toEqual([]);
    expect((await world.store.checkpoint())?.size).toBe(3);
    expect(await world.store.checkpoint(2)).toEqual(checkpoint);
    expect(await world.store.checkpoint(1)).toBeNull();
    expect((await world.store.leaves(1, 3)).map((one) => one.idx)).toEqual([1, 2]);
  });

  it('has no checkpoint and no leaves before the first', async () => {
    expect(await step()).toEqual([]);
    expect(await world.store.checkpoint()).toBeNull();
    expect(await world.store.leafByEvent('e')).toBeNull();
  });

  it('records an event once, while it waits and after it is logged', async () => {
    await queue('e');
    await queue('e');
    expect(await step()).toHaveLength(1);
    await queue('e');
    expect(world.db.sql('SELECT * FROM log_queue')).toEqual([]);
    expect(await step()).toEqual([]);
    expect(await world.store.leaves(0, 10)).toHaveLength(1);
  });

  it('drops a queued event that another process logged meanwhile', async () => {
    await queue('e');
    await step();
    const [row] = world.db.sql(`SELECT leaf FROM log_leaves WHERE event_id = 'e'`);
    world.db.sql(`INSERT INTO log_queue VALUES('e', 'a', '${row!['leaf']}', ${NOW}) RETURNING event_id`);
    expect(await step()).toEqual([]);
    expect(world.db.sql('SELECT * FROM log_queue')).toEqual([]);
  });

  it('takes no leaf into the queue that could not be logged: it would stop the log for everybody', async () => {
    const bad = { ...draft('denied'), salt: 'too short' } as LeafDraft;
    expect(await refusal(world.store.queueLeaf({ eventId: 'bad', draft: bad }, NOW))).not.toBeNull();
    expect(await refusal(world.store.queueLeaf({ eventId: 'bad', draft: draft('denied', 'a', { execution: sha256('x') } as Partial<LeafDraft>) }, NOW))).not.toBeNull();
    expect(world.db.sql('SELECT * FROM log_queue')).toEqual([]);
  });

  it('a step whose checkpoint cannot be made leaves the queue as it was', async () => {
    await queue('e');
    expect(await refusal(world.store.sequence(ORIGIN, 10, () => { throw new RangeError('no key'); }))).toBeInstanceOf(RangeError);
    expect(await refusal(world.store.sequence(ORIGIN, 10, (state, leaves) => ({ ...build(state, leaves), size: 5 })))).toBeInstanceOf(TypeError);
    expect(await step()).toHaveLength(1);
  });

  it('a log that was moved behind the sequencer\'s back does not get a second checkpoint of one size', async () => {
    await queue('e');
    await step();
    await queue('f');
    world.db.sql(`UPDATE log_state SET size = 0, frontier = '' RETURNING size`);
    expect(await refusal(step())).toBe('store.conflict');
    expect(await world.store.checkpoint()).toMatchObject({ size: 1 });
    world.db.sql(`UPDATE log_state SET size = 1, frontier = '${(await world.store.leaves(0, 1))[0]!.leafHash}' RETURNING size`);
    expect(await step()).toHaveLength(1);
  });

  it('finds the leaves of one payment', async () => {
    const payment = sha256('p');
    await world.store.queueLeaf(leaf('e1', 'denied', 'a', { payment }), NOW);
    await world.store.queueLeaf(leaf('e2', 'settled', 'a', { payment }), NOW + 1);
    await queue('other');
    await step();
    expect((await world.store.leavesOfPayment(payment)).map((one) => one.eventId)).toEqual(['e1', 'e2']);
  });
});
