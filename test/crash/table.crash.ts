/**
 * kill -9 at each arrow of a payment (DESIGN section 4), with real processes. Afterwards no payment happened twice and none is lost, the ledger sums to
 * zero, the log audits green, and the agent is told the truth. Prints the table. The database is a part of the verifier process and dies with it; a server that dies by itself stands in database.crash.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkType } from '../../src/link.js';
import { Bed, amountOf, paymentOf, type Purchase, type Staged } from './bed.js';

let bed: Bed;
const table: { arrow: string; killed: string; seen: string }[] = [];
beforeAll(async () => { bed = await Bed.open(); }, 120_000);
afterAll(async () => {
  await bed?.close();
  const width = (column: 'arrow' | 'killed') => Math.max(...table.map((row) => row[column].length), column.length);
  const line = (arrow: string, killed: string, seen: string): string => `${arrow.padEnd(width('arrow'))}  ${killed.padEnd(width('killed'))}  ${seen}\n`;
  process.stdout.write(`\n${line('arrow', 'killed', 'seen')}${table.map(({ arrow, killed, seen }) => line(arrow, killed, seen)).join('')}\n`);
});

let orders = 0;
const purchase = (over: Partial<Purchase> = {}): Purchase => ({ key: `order-${++orders}`, mandateId: bed.standing, ...over });

/**
 * An order that was begun and never reached the provider is given up when the provider is asked for it: the payment failed, its money is back, and the
 * agent is told so. Where the verifier dies at no certain moment, both ends are right.
 */
const EITHER = /^(?:settled|failed)$/;

/** The table's row: what the agent was told at the end. The whole state has to prove itself. */
async function end(arrow: string, killed: string, one: Purchase, state: RegExp = /^settled$/): Promise<void> {
  const answer = await bed.insist(one);
  const wrong = await bed.check(answer);
  table.push({ arrow, killed, seen: wrong.length === 0 ? `${String(paymentOf(answer)['state'])}, once` : wrong.join('; ') });
  expect(wrong).toEqual([]);
  expect(paymentOf(answer)['state']).toMatch(state);
}

/** Waits until the device's journal holds a payment of this key in a state. */
async function journalled(key: string, state: string): Promise<void> {
  const file = join(bed.stage.dir, 'state', 'payments.journal');
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(1)) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    const paymentId = /"payment_id":"(pay_\w+)"/.exec(lines.find((line) => line.includes(`"idempotency_key":"${key}"`)) ?? '')?.[1];
    if (paymentId !== undefined && lines.some((line) => line.includes(paymentId) && line.includes(`"state":"${state}"`))) return;
  }
  throw new Error(`the journal never said ${state}`);
}

describe('the device is killed', () => {
  it.each([['1 ask', 'received'], ['7 close, bind, sign', 'proving']])('%s: after the journal says %s', async (arrow, state) => {
    const one = purchase();
    const asking = bed.ask(one);
    await journalled(one.key, state);
    bed.kill('sidecar')();
    await asking;
    await bed.revive('sidecar');
    await bed.ready();
    await end(arrow, 'sidecar', one);
  });
});

const MESSAGES: [arrow: string, type: LinkType, from: 'sidecar' | 'verifier', victim: Staged, goesOn: boolean][] = [
  ['8 send', 'payment', 'sidecar', 'sidecar', false],
  ['8 send', 'payment', 'sidecar', 'sidecar', true],
  ['8 send', 'payment', 'sidecar', 'verifier', false],
  ['9-11 appraise, decide, deposit', 'payment', 'sidecar', 'verifier', true],
  ['11 deposit -> answer', 'decision', 'verifier', 'verifier', false],
  ['11 deposit -> answer', 'decision', 'verifier', 'verifier', true],
  ['11 deposit -> answer', 'decision', 'verifier', 'sidecar', false],
  ['11 deposit -> answer', 'decision', 'verifier', 'sidecar', true],
  ['14 deposit -> 15 answer', 'execution', 'verifier', 'verifier', false],
  ['14 deposit -> 15 answer', 'execution', 'verifier', 'verifier', true],
  ['14 deposit -> 15 answer', 'execution', 'verifier', 'sidecar', false],
  ['14 deposit -> 15 answer', 'execution', 'verifier', 'sidecar', true],
];
describe('a message is on its way, and', () => {
  it.each(MESSAGES)('%s: %s of the %s: the %s is killed, the message arrives: %s', async (arrow, type, from, victim, goesOn) => {
    const one = purchase();
    const moment = bed.wire.at({ type, from, goesOn, kill: bed.kill(victim) });
    const asking = bed.ask(one);
    await moment;
    await bed.revive(victim);
    await asking;
    await bed.ready();
    await end(`${arrow} (${type} ${goesOn ? 'arrives' : 'lost'})`, victim, one, victim === 'verifier' && type !== 'execution' ? EITHER : /^settled$/);
  });
});

/** Random moments between decision and receipt: inside the transactions of the verifier, which no message shows. */
describe('the verifier is killed in the middle of its work', () => {
  it.each([5, 15, 30, 60, 100])('9-14 %s ms after the payment arrived', async (ms) => {
    const one = purchase();
    const moment = bed.wire.at({ type: 'payment', from: 'sidecar', goesOn: true, kill: () => undefined });
    const asking = bed.ask(one);
    await moment;
    await sleep(ms);
    bed.kill('verifier')();
    await bed.revive('verifier');
    await asking;
    await bed.ready();
    await end(`9-14 (${ms} ms after send)`, 'verifier', one, EITHER);
  });
});

/** At no certain moment of the device's work, and the agent that asked dies with it. */
describe('the sidecar and its agent are killed', () => {
  it.each([0, 30, 60, 90, 120, 180])('1-15 %s ms after the agent asked', async (ms) => {
    const one = purchase();
    const asking = bed.ask(one);
    await sleep(ms);
    bed.kill('sidecar')();
    await bed.stage.agent.stop('SIGKILL');
    await asking;
    await bed.revive('sidecar');
    await bed.ready();
    const { body } = await bed.insist(one);
    await end(`1-15 (${ms} ms after the agent asked)`, 'sidecar, agent', one);
    expect(paymentOf(await bed.insist(one))['payment_id']).toBe(paymentOf({ body })['payment_id']);
  });
});

describe('money is on its way, and', () => {
  it('13 settle: the provider dies before it moved anything: the payment failed, and says so', async () => {
    const one = purchase();
    await bed.psp.next('die_before');
    const asking = bed.ask(one);
    await bed.revive('psp');
    await asking;
    await bed.revive('verifier');
    await bed.ready();
    await end('13 settle (before the money)', 'psp', one, /^failed$/);
  });

  it('13 settle: the provider dies after it moved the money', async () => {
    const one = purchase();
    await bed.psp.next('die_after');
    const asking = bed.ask(one);
    await bed.revive('psp');
    await asking;
    await bed.revive('verifier');
    await bed.ready();
    await end('13 settle (after the money)', 'psp', one);
  });

  it('13 settle: the verifier dies while the provider moves the money', async () => {
    const one = purchase();
    await bed.psp.next('kill_caller', String(bed.process('verifier').pid));
    const asking = bed.ask(one);
    await bed.gone('verifier');
    await bed.revive('verifier');
    await asking;
    await bed.ready();
    await end('13 settle (money moved, answer lost)', 'verifier', one);
  });

  it('13 settle: both die, the provider first', async () => {
    const one = purchase();
    await bed.psp.next('die_after');
    const asking = bed.ask(one);
    await bed.psp.died();
    bed.kill('verifier')();
    await bed.startPsp();
    await bed.revive('verifier');
    await asking;
    await bed.ready();
    await end('13 settle', 'psp, verifier', one);
  });
});

describe('the user has confirmed, and', () => {
  it.each<[Staged, boolean]>([['sidecar', false], ['verifier', false], ['sidecar', true]])('3 confirm: the %s is killed as the device is told (told: %s)', async (victim, goesOn) => {
    const one = purchase({ mandateId: await bed.stage.signMandate({ level: 'L2', maxPayments: 1 }) });
    const asked = await bed.insist(one, ['confirm_required']);
    const moment = bed.wire.at({ type: 'confirmed', from: 'verifier', goesOn, kill: bed.kill(victim) });
    await bed.confirm(String(asked.body['payment_id'])).catch(() => undefined);
    await moment;
    await bed.revive(victim);
    await bed.ready();
    await end(`confirmation (${goesOn ? 'arrives' : 'lost'})`, victim, one);
  });
});

describe('the payee captures later, and', () => {
  it('12 token -> 13 settle: the verifier dies as the money moves: a part was captured, once', async () => {
    const one = purchase({ mandateId: await bed.stage.signMandate({ level: 'L2', maxPayments: 1 }), bound: 'max', captureUntil: Math.floor(Date.now() / 1000) + 3000 });
    const asked = await bed.insist(one, ['confirm_required']);
    await bed.confirm(String(asked.body['payment_id']));
    const waiting = await bed.insist(one, ['released']);
    const { mandate, closed_mandate: closed } = JSON.parse(waiting.bundle ?? '{}') as { mandate: string; closed_mandate: string };
    await bed.psp.next('kill_caller', String(bed.process('verifier').pid));
    await bed.stage.api.post('/v1/payment/redemptions', { token: String(waiting.body['execution']), amount: 60, mandate, closed_mandate: closed }).catch(() => undefined);
    await bed.revive('verifier');
    await bed.ready();
    await end('13 capture of a part', 'verifier', one);
    expect(amountOf((await bed.insist(one)).body['receipt'])).toBe(60);
  });

  it('refund: the verifier dies as the money comes back: it came back once', async () => {
    const one = purchase();
    const { body } = await bed.insist(one);
    await bed.psp.next('kill_caller', String(bed.process('verifier').pid));
    const refund = { refund_id: `evt_${'0'.repeat(25)}1`, amount: 40 };
    await bed.stage.api.post(`/v1/payment/payments/${String(body['payment_id'])}/refunds`, refund).catch(() => undefined);
    await bed.revive('verifier');
    await bed.ready();
    await bed.stage.api.post(`/v1/payment/payments/${String(body['payment_id'])}/refunds`, refund);
    await end('refund', 'verifier', one);
  });
});

describe('the user stops the carrier, and', () => {
  it('the verifier dies at once after its answer: nothing is permitted when it is back', async () => {
    expect(await bed.freeze()).toBe('frozen');
    bed.kill('verifier')();
    await bed.revive('verifier');
    await bed.ready().catch(() => undefined);
    const one = purchase();
    const answer = await bed.ask(one);
    const state = answer === null ? undefined : paymentOf(answer)['state'];
    expect(['denied', undefined]).toContain(state);
    table.push({ arrow: 'freeze -> answer', killed: 'verifier', seen: 'nothing permitted' });
    await bed.thaw();
    await bed.insist(purchase());
  });
});
