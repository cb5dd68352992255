/** A verifier that is copied while it serves, lost, and restored; and what a restore must never do. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../verifier/config.js';
import { startVerifier } from '../../verifier/main.js';
import { openStore } from '../../verifier/store/store.js';
import { TestPayer } from '../verifier/support/payer.js';
import { ari } from './support.js';

const silent = pino({ level: 'silent' });
let payer: TestPayer;
let dir: string;
let copy: string;
let toml: string;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
  await pays();
});
afterAll(() => payer.stop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ari-backup-'));
  copy = join(dir, 'copy');
  toml = join(dir, 'new/verifier.toml');
  mkdirSync(join(dir, 'new'));
  for (const name of ['verifier.toml', 'test-root.pem']) cpSync(join(payer.service.dir, name), join(dir, 'new', name));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function pays(): Promise<void> {
  expect((await payer.decision(await payer.attempt(payer.intent()))).state).toBe('permitted');
  await payer.link.next('execution');
}
const back = () => ari('verifier', 'backup', copy, '-c', join(payer.service.dir, 'verifier.toml'), '--json');
const again = (...more: string[]) => ari('verifier', 'restore', copy, '-c', toml, '--json', ...more);
/** The newest checkpoint that anybody has seen of the running verifier. */
async function seen(name: string): Promise<string> {
  const file = join(dir, name);
  writeFileSync(file, (await payer.service.call('GET', '/log/checkpoint', { admin: false })).text);
  return file;
}
const serves = async () => (await startVerifier(loadConfig(toml), { logger: silent })).close();

describe('a backup of a running verifier', () => {
  it('is restored into an empty place: it serves, its log is audited, its ledger sums to zero, and it says what it said', async () => {
    expect(JSON.parse((await back()).out).size).toBeGreaterThan(0);
    expect(JSON.parse((await again('--checkpoint', await seen('newest'))).out)).toMatchObject({ size: expect.any(Number) });
    const running = await startVerifier(loadConfig(toml), { logger: silent });
    const keys = join(dir, 'keys.json');
    writeFileSync(keys, await (await fetch(new URL('/.well-known/jwks.json', running.url))).text());
    expect(readFileSync(keys, 'utf8')).toBe((await payer.service.call('GET', '/.well-known/jwks.json', { admin: false })).text);
    expect(await ari('audit', `${running.url}/log`, '--keys', keys)).toMatchObject({ status: 0 });
    await running.close();
    const store = await openStore({ path: join(dir, 'new/verifier.db') });
    expect(await store.ledgerSum()).toBe(0n);
    expect((await store.carrier(payer.carrierId))!.spent).toBeGreaterThan(0n);
    await store.close();
  });

  it('is whole though payments are made meanwhile', async () => {
    const [, { status }] = await Promise.all([pays(), back()]);
    expect(status).toBe(0);
    const store = await openStore({ path: join(copy, 'verifier.db') });
    expect(await store.ledgerSum()).toBe(0n);
    await store.close();
  });

  it('is read by its owner alone, and overwrites nothing', async () => {
    await back();
    expect([copy, join(copy, 'keys'), join(copy, 'verifier.db'), join(copy, 'admin-token')].map((each) => statSync(each).mode & 0o077)).toEqual([0, 0, 0, 0]);
    expect((await back()).status).toBe(2);
  });
});

describe('a restore', () => {
  it('overwrites nothing: one file that is there, and nothing is written', async () => {
    await back();
    writeFileSync(join(dir, 'new/policy.jwt'), 'mine');
    expect((await again('--checkpoint', await seen('newest'))).status).toBe(2);
    expect(() => statSync(join(dir, 'new/verifier.db'))).toThrow('ENOENT');
    expect(readFileSync(join(dir, 'new/policy.jwt'), 'utf8')).toBe('mine');
  });

  it('of a store whose log went on after the backup is refused, and nothing is written: it would publish another log', async () => {
    await back();
    await pays();
    const refused = await again('--checkpoint', await seen('later'));
    expect([refused.status, refused.out]).toEqual([1, expect.stringContaining('deposit.behind')]);
    expect(() => statSync(join(dir, 'new/verifier.db'))).toThrow('ENOENT');
  });

  it('asks for the newest checkpoint that anybody has seen: it takes it from the tiles that are left, and does nothing without one', async () => {
    await back();
    expect((await again()).status).toBe(2);
    mkdirSync(join(dir, 'new/log'));
    cpSync(await seen('newest'), join(dir, 'new/log/checkpoint'));
    expect((await again()).status).toBe(0);
    await serves();
  });
});

describe('a verifier whose store is older than its published tiles', () => {
  it('serves nobody, however the store came there', async () => {
    await back();
    await again('--checkpoint', join(copy, 'checkpoint'));
    await pays();
    mkdirSync(join(dir, 'new/log'));
    cpSync(await seen('later'), join(dir, 'new/log/checkpoint'));
    await expect(serves()).rejects.toMatchObject({ code: 'deposit.behind' });
  });
});
