import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { audit, type MakeDatabase, useWorld } from './bench.js';
import { StoreProcess } from './process.js';
import { build, enrolDevice, leaf, NOW, ORIGIN } from './world.js';

type Said = { permitted?: string; released?: string; settled?: string };

export const crashSuite = (make: MakeDatabase) => describe('kill -9', () => {
  const world = useWorld(make);

  /** A process works until it is killed at a random moment. @returns what it had been answered */
  const workAndDie = async (device: string): Promise<Said[]> => {
    const child = new StoreProcess();
    await child.ask('open', world.db.place);
    child.send('workForEver', device);
    const said: Said[] = [(await child.line()) as Said];
    const dead = sleep(30 + Math.random() * 120).then(() => child.kill());
    for (let line = await child.line(); line !== null; line = await child.line()) said.push(line as Said);
    await dead;
    return said;
  };

  it('in the middle of anything leaves nothing half done, and keeps all that was answered', async () => {
    await world.store.fundCarrier({ eventId: 'more', carrierId: 'crr_1', amount: 900n, nowMs: NOW });
    world.db.sql('UPDATE mandates SET max_payments = NULL RETURNING mandate_id');
    for (const device of ['2', '3']) await enrolDevice(world.store, device);
    for (let round = 0; round < 2; round++) {
      const said = (await Promise.all(['2', '3'].map(workAndDie))).flat();
      expect(await audit(world.store, world.db.sql)).toEqual([]);
      expect(said.length).toBeGreaterThan(1);
      for (const { permitted, released, settled } of said) {
        if (permitted) expect((await world.store.attempts(`pay_${permitted}`))[0]?.decisionKind).toBe('permit');
        if (released) expect(await world.store.executionToken(`pay_${released}`)).not.toBeNull();
        if (settled) expect(await world.store.payment(`pay_${settled}`)).toMatchObject({ state: 'settled' });
      }
    }
    await world.store.queueLeaf(leaf('after', 'denied'), NOW + 1);
    await world.store.sequence(ORIGIN, 10_000, build);
    expect(await world.store.leafByEvent('after'), 'the log goes on').not.toBeNull();
  });
});
