/**
 * kill -9 at each arrow of a payment that is made offline and brought later, with real processes: a promise that was told is kept, once, and none is told that
 * is not in the journal.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkType } from '../../src/link.js';
import { Bed, paymentOf, type Purchase, type Staged } from './bed.js';

let bed: Bed;
const table: string[] = [];
beforeAll(async () => { bed = await Bed.open({ offline: { maxCount: 3, maxTotal: 600n } }); }, 120_000);
afterAll(async () => {
  await bed?.close();
  process.stdout.write(`\n${table.join('\n')}\n`);
});

let orders = 0;
const purchase = (): Purchase => ({ key: `offline-${++orders}`, mandateId: bed.standing });
const allowed = (): Promise<void> => bed.stage.sidecar.until(async () => {
  const { verifier, agents: [agent] } = await bed.stage.status();
  return verifier.connected && (agent?.allowances?.[0]?.count ?? 0) > 0;
});

/** The verifier is away, and the device knows it. */
async function away(): Promise<void> {
  await allowed();
  await bed.stage.verifier.stop('SIGKILL');
  await bed.stage.sidecar.until(async () => !(await bed.stage.status()).verifier.connected);
}

/** It was promised offline; the whole state has to prove itself when it is over. */
async function end(arrow: string, killed: string, one: Purchase): Promise<void> {
  const answer = await bed.insist(one);
  const wrong = await bed.check(answer);
  table.push(`${arrow.padEnd(44)} ${killed.padEnd(9)} ${wrong.length === 0 ? `${String(paymentOf(answer)['state'])}, once` : wrong.join('; ')}`);
  expect(wrong).toEqual([]);
  expect(paymentOf(answer)['state']).toBe('settled');
}

async function journalled(key: string): Promise<void> {
  const file = join(bed.stage.dir, 'state', 'payments.journal');
  for (const end_ = Date.now() + 20_000; Date.now() < end_; await sleep(1)) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    const paymentId = /"payment_id":"(pay_\w+)"/.exec(lines.find((line) => line.includes(`"idempotency_key":"${key}"`)) ?? '')?.[1];
    if (paymentId !== undefined && lines.some((line) => line.includes(paymentId) && line.includes('"allowance_id"'))) return;
  }
  throw new Error('the journal never said that it was paid offline');
}

describe('the device is killed', () => {
  it('after the journal says that it paid offline: it says the same when it is asked again', async () => {
    await away();
    const one = purchase();
    const asking = bed.insist(one, ['permitted']).catch(() => null);
    await journalled(one.key);
    bed.kill('sidecar')();
    await asking;
    await bed.stage.sidecar.stop('SIGKILL');
    const restarted = bed.stage.restartSidecar().catch(() => null);
    const again = await bed.insist(one, ['permitted']);
    expect(paymentOf(again)).toMatchObject({ state: 'permitted', offline: { voucher: expect.stringContaining('ari-voucher-1') } });
    await bed.revive('verifier');
    await restarted;
    await bed.ready();
    await end('journal -> answer', 'sidecar', one);
  });
});

const MESSAGES: [arrow: string, type: LinkType, from: 'sidecar' | 'verifier', victim: Staged, goesOn: boolean][] = [
  ['bring', 'offline', 'sidecar', 'sidecar', false],
  ['bring', 'offline', 'sidecar', 'sidecar', true],
  ['bring', 'offline', 'sidecar', 'verifier', true],
  ['deposit -> answer', 'decision', 'verifier', 'sidecar', false],
  ['deposit -> answer', 'decision', 'verifier', 'verifier', true],
  ['settle -> answer', 'execution', 'verifier', 'sidecar', false],
  ['give back', 'allowance_return', 'sidecar', 'verifier', true],
  ['next allowance', 'allowance', 'verifier', 'sidecar', false],
  ['next allowance', 'allowance', 'verifier', 'verifier', false],
];
describe('what was paid offline is on its way, and', () => {
  it.each(MESSAGES)('%s: %s of the %s: the %s is killed, the message arrives: %s', async (arrow, type, from, victim, goesOn) => {
    await away();
    const one = purchase();
    await bed.insist(one, ['permitted']);
    const moment = bed.wire.at({ type, from, goesOn, kill: bed.kill(victim) });
    await bed.stage.restartVerifier();
    await moment;
    await bed.revive(victim);
    await bed.ready();
    await end(`${arrow} (${type} ${goesOn ? 'arrives' : 'lost'})`, victim, one);
  });
});
