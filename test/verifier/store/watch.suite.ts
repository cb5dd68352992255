import { describe, expect, it } from 'vitest';
import { type MakeDatabase, useWorld } from './bench.js';
import { build, enrolDevice, leaf, mandateRow, NOW, openCarrier, ORIGIN } from './world.js';

export const watchSuite = (make: MakeDatabase) => describe('outbox and events', () => {
  const world = useWorld(make);
  const row = (eventId: string, createdMs: number) => ({ eventId, topic: 'message' as const, subject: 'dev_1', body: eventId, createdMs });

  it('what one process writes another reads, from a time on and oldest first, until it is cleared', async () => {
    for (const [id, at] of [['b', NOW + 2], ['a', NOW + 1], ['old', NOW - 9]] as const) await world.store.putOutbox([row(id, at)]);
    expect((await world.other.outbox(NOW)).map(({ eventId }) => eventId)).toEqual(['a', 'b']);
    await world.other.clearOutbox(NOW + 2);
    expect(await world.store.outbox(0)).toEqual([row('b', NOW + 2)]);
  });

  it('what devices are to hear of a change stands there with the change, or neither does', async () => {
    const heard = async () => (await world.other.outbox(0)).map(({ eventId }) => eventId);
    const freeze = { subject: 'crr_1', kind: 'carrier' as const, state: 'frozen', leaf: leaf('evt_f', 'revoked'), nowMs: NOW };
    await world.store.setState({ ...freeze, outbox: [row('frozen', NOW)] });
    await world.store.addMandate(mandateRow('mnd_2', '1'), [row('mandate', NOW)]);
    expect(await heard()).toEqual(['frozen', 'mandate']);
    await world.store.setState({ ...freeze, outbox: [row('again', NOW)] });
    await expect(world.store.setState({ ...freeze, state: 'revoked', outbox: [row('mandate', NOW)] }), 'a row that cannot be written').rejects.toMatchObject({ code: 'store.conflict' });
    expect([await heard(), (await world.store.carrier('crr_1'))?.state]).toEqual([['frozen', 'mandate'], 'frozen']);
  });

  it('devices that pay from a carrier are those of mandates that have not ended', async () => {
    await enrolDevice(world.store, '2');
    await world.store.addMandate(mandateRow('mnd_2', '2'));
    expect(await world.store.devicesPaying('crr_1')).toEqual(['dev_1', 'dev_2']);
    await world.store.setState({ subject: 'mnd_2', kind: 'mandate', state: 'revoked', leaf: leaf('evt_r', 'revoked'), nowMs: NOW });
    expect([await world.store.devicesPaying('crr_1'), await world.store.devicesPaying('crr_9')]).toEqual([['dev_1'], []]);
    expect(await world.store.devicesOf('usr_1')).toEqual(['dev_1', 'dev_2']);
  });

  it("events are the leaves of a user's carriers and devices, in the order of the log, from a place on, and nobody else's", async () => {
    await world.store.addUser({ userId: 'usr_2', kind: 'person', nowMs: NOW });
    await openCarrier(world.store, 'crr_2', 10n, { userId: 'usr_2' });
    await world.store.queueLeaf(leaf('evt_refused', 'refused', 'dev_1'), NOW + 5);
    await world.store.sequence(ORIGIN, 100, build);
    const events = await world.store.eventsOf({ userId: 'usr_1', from: 0, limit: 10 });
    expect(events.map(({ kind, chain }) => [kind, chain])).toEqual(expect.arrayContaining([['enrolled', 'dev_1'], ['rules_changed', 'crr_1'], ['refused', 'dev_1']]));
    expect(events.some(({ chain }) => chain === 'crr_2')).toBe(false);
    expect(events.map(({ index }) => index)).toEqual(events.map(({ index }) => index).toSorted((a, b) => a - b));
    expect(await world.store.eventsOf({ userId: 'usr_1', from: events[1]!.index, limit: 1 })).toEqual([events[1]]);
    expect((await world.store.eventsOf({ userId: 'usr_2', from: 0, limit: 10 })).map(({ chain }) => chain)).toEqual(['crr_2']);
  });
});
