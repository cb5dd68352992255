/**
 * kill -9 of a PostgreSQL server's postmaster at the arrows of a payment. The verifier is never restarted: it says that the store is away, and goes on by
 * itself when the server is back. Nothing was paid twice, nothing is lost, the books balance and the log audits green.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkType } from '../../src/link.js';
import { Cluster } from '../support/postgres/cluster.js';
import { Bed, paymentOf, type Purchase } from './bed.js';

let bed: Bed;
let verifier: number;
beforeAll(async () => {
  bed = await Bed.open({ database: await Cluster.start() });
  verifier = bed.process('verifier').pid;
}, 180_000);
afterAll(() => bed?.close());

let orders = 0;
const purchase = (): Purchase => ({ key: `order-${++orders}`, mandateId: bed.standing });

/** The agent asks on with the same key until it is told an end, and everything agrees with it. */
async function end(one: Purchase, state: RegExp): Promise<void> {
  const answer = await bed.insist(one);
  expect(await bed.check(answer)).toEqual([]);
  expect(paymentOf(answer)['state']).toMatch(state);
  expect(bed.process('verifier').pid, 'the verifier stayed up').toBe(verifier);
  process.kill(verifier, 0);
}

const MESSAGES: [arrow: string, type: LinkType, from: 'sidecar' | 'verifier'][] = [
  ['8 send -> 9 appraise', 'payment', 'sidecar'],
  ['11 deposit -> 12 token', 'decision', 'verifier'],
  ['14 deposit -> 15 answer', 'execution', 'verifier'],
];

describe('the database is killed', () => {
  it.each(MESSAGES)('%s: as the %s of the %s is on its way', async (_arrow, type, from) => {
    const one = purchase();
    const moment = bed.wire.at({ type, from, goesOn: true, kill: bed.kill('database') });
    const asking = bed.ask(one);
    await moment;
    await sleep(300);
    await bed.revive('database');
    await asking;
    await end(one, /^(?:settled|failed)$/);
  });

  it.each([5, 20, 60])('9-14: %s ms after the payment arrived', async (ms) => {
    const one = purchase();
    const moment = bed.wire.at({ type: 'payment', from: 'sidecar', goesOn: true, kill: () => undefined });
    const asking = bed.ask(one);
    await moment;
    await sleep(ms);
    await bed.revive('database');
    await asking;
    await end(one, /^(?:settled|failed)$/);
  });

  it('13 settle: while the provider moves the money: it is asked for the outcome, and paid once', async () => {
    const one = purchase();
    await bed.psp.next('kill_caller', String(bed.database!.pid));
    const asking = bed.ask(one);
    await bed.database!.gone();
    await bed.revive('database');
    await asking;
    await end(one, /^settled$/);
  });

  it('and is away for a while: it is said so by its code, nothing is decided, and the next payment goes through', async () => {
    await bed.database!.kill();
    await expect(bed.stage.api.get(`/v1/delegation/carriers/${bed.stage.carrierId}`)).rejects.toMatchObject({ code: 'store.unavailable' });
    expect((await bed.ask(purchase()))?.status).not.toBe(200);
    await bed.revive('database');
    await end(purchase(), /^settled$/);
  });
});
