import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toB64u } from '../../src/base/bytes.js';
import { openCheckpoint } from '../../src/deposit/checkpoint.js';
import { auditLeaves } from '../../src/deposit/chain.js';
import { logSigner } from '../../src/deposit/note.js';
import { verifyProof } from '../../src/deposit/proof.js';
import { DepositLog } from '../../verifier/log.js';
import { openStore } from '../../verifier/store/store.js';
import type { LeafDraft, Store } from '../../verifier/store/verbs.js';
import { Fault } from '../../src/base/fault.js';

const SIGNER = logSigner('log.example', Buffer.alloc(32, 3));
let dir: string;
let store: Store;
let steps: number;
let log: DepositLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-log-'));
  store = await openStore({ path: join(dir, 'db') });
  steps = 0;
  log = new DepositLog({ ...store, sequence: (...args) => { steps++; return store.sequence(...args); } }, SIGNER, { dir: join(dir, 'log') });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

const codeOfAsync = (run: () => Promise<unknown>): Promise<string> => run().then(() => 'nothing was thrown', (error: unknown) => (error instanceof Fault ? error.code : String(error)));
const leaf = (n: number): { eventId: string; draft: LeafDraft } => ({
  eventId: `evt_${n}`,
  draft: { kind: 'revoked', v: 'ari-deposit-1', salt: toB64u(Buffer.alloc(16, n)), chain: `chain-${n % 3}`, tsMs: n, code: null, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null },
});

describe('the log', () => {
  it('proves each leaf under a signed checkpoint, the first as well as the last', async () => {
    const deposits = [];
    for (let n = 0; n < 20; n++) deposits.push(await log.record(leaf(n), n));
    for (const { stored, proof } of deposits) expect(verifyProof(stored.leaf, proof, [SIGNER.vkey]).index).toBe(stored.idx);
    for (const { stored } of deposits) expect(verifyProof(stored.leaf, await log.proof(stored.idx), [SIGNER.vkey]).size).toBe(20);
    auditLeaves(await store.leaves(0, 20), openCheckpoint(await log.checkpoint(), [SIGNER.vkey]));
  });

  it('lets leaves that arrive during a step share the next: a hundred payments need a handful of steps', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, n) => log.record(leaf(n), n)));
    expect(new Set(all.map(({ stored }) => stored.idx)).size).toBe(100);
    expect(steps).toBeLessThan(20);
    for (const { stored, proof } of all) verifyProof(stored.leaf, proof, [SIGNER.vkey]);
  });

  it('waits for nobody when a leaf is alone', async () => {
    await log.record(leaf(1), 1);
    expect(steps).toBe(1);
  });

  it('places an event once, however often it is asked for', async () => {
    const [a, b] = [await log.record(leaf(1), 1), await log.record(leaf(1), 1)];
    expect([b.stored.idx, (await store.checkpoint())?.size]).toEqual([a.stored.idx, 1]);
  });

  it('shares one database with another process: both see one tree', async () => {
    const second = await openStore({ path: join(dir, 'db') });
    const other = new DepositLog(second, SIGNER, { dir: join(dir, 'other') });
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 ? log : other).record(leaf(n), n)));
    expect(new Set(all.map(({ stored }) => stored.idx)).size).toBe(40);
    for (const { stored } of all) expect(verifyProof(stored.leaf, await other.proof(stored.idx), [SIGNER.vkey]).size).toBe(40);
    await second.close();
  });

  it('says that it is unavailable, for a leaf that cannot be written, and works again after', async () => {
    let broken = true;
    const frail = new DepositLog({ ...store, sequence: (...args) => (broken ? Promise.reject(new Error('disk full')) : store.sequence(...args)) }, SIGNER, { dir: join(dir, 'frail') });
    expect(await codeOfAsync(() => frail.record(leaf(1), 1))).toBe('deposit.unavailable');
    broken = false;
    expect((await frail.deposit('evt_1')).stored.idx).toBe(0);
  });

  it('has a signed checkpoint of its emptiness, knows no leaf that nobody queued, and is not continued under another name', async () => {
    expect(openCheckpoint(await log.checkpoint(), [SIGNER.vkey]).size).toBe(0);
    expect(await codeOfAsync(() => log.deposit('evt_none'))).toBe('deposit.unavailable');
    await log.record(leaf(1), 1);
    expect(await codeOfAsync(() => log.open())).toBe('nothing was thrown');
    expect(await codeOfAsync(() => new DepositLog(store, logSigner('other.example', Buffer.alloc(32, 4)), { dir: join(dir, 'log') }).open())).toBe('deposit.unavailable');
  });
});
