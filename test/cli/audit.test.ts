import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeCheckpoint } from '../../src/deposit/checkpoint.js';
import { logSigner } from '../../src/deposit/note.js';
import { noteText, testWitness } from '../support/witness.js';
import { leaf } from '../verifier/store/world.js';
import { TestService } from '../verifier/support/service.js';
import { DepositLog } from '../../verifier/log.js';
import { loadKeys } from '../../verifier/keys.js';
import { ari } from './support.js';

const witness = testWitness('witness.example/1');
let service: TestService;
let dir: string;
let keys: string;
let early: string;
let copies = 0;
let copy: string;
beforeAll(async () => {
  service = await new TestService({ witnesses: [witness.vkey] }).start();
  dir = mkdtempSync(join(tmpdir(), 'ari-audit-'));
  keys = join(dir, 'keys.json');
  writeFileSync(keys, (await service.call('GET', '/.well-known/jwks.json', { admin: false })).text);
  early = join(dir, 'early');
  await deposit(0, 100);
  writeFileSync(early, (await service.call('GET', '/log/checkpoint', { admin: false })).text);
  await deposit(100, 300);
});
afterAll(async () => {
  await service.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  copy = join(dir, `copy${copies++}`);
  cpSync(join(dir, 'log'), copy, { recursive: true });
});

async function deposit(from: number, to: number): Promise<void> {
  const store = await service.store();
  const log = new DepositLog(store, loadKeys(service.config.keys.dir, service.config.deposit.origin).log, { dir: join(dir, 'log') });
  await Promise.all(Array.from({ length: to - from }, (_, i) => log.record(leaf(`evt_${from + i}`, 'revoked', `crr_${i % 3}`), from + i)));
  await log.close();
  await store.close();
}
const audited = async (...options: string[]) => {
  const { status, out } = await ari('audit', ...options, '--keys', keys, '--json');
  return { status, ...JSON.parse(out) };
};
const change = (path: string, at: number): void => {
  const bytes = readFileSync(join(copy, path));
  bytes[at]! ^= 1;
  writeFileSync(join(copy, path), bytes);
};

describe('ari audit', () => {
  it('finds a log right, in a folder and over HTTP alike', async () => {
    const right = { status: 0, ok: true, origin: 'log.verifier.example', size: 300, leaves: 300, chains: 3, kinds: { revoked: 300 }, wrong: null, chain: [] };
    expect(await audited(copy)).toMatchObject(right);
    expect(await audited(`${service.running.url}/log`, '--since', early)).toMatchObject({ ...right, since: [100] });
    const { chain } = await audited(copy, '--carrier', 'crr_1');
    expect(chain.map(({ seq }: { seq: number }) => seq)).toEqual(Array.from({ length: chain.length }, (_, seq) => seq));
  });

  it('names the first wrong leaf, in words and in JSON, and ends with status 1', async () => {
    change('tile/entries/001.p/44', 100);
    expect(await audited(copy)).toMatchObject({ status: 1, ok: false, wrong: { index: 256, code: 'deposit.leaf' } });
    const { status, out } = await ari('audit', copy, '--keys', keys);
    expect([status, out]).toEqual([1, expect.stringContaining('leaf 256 is the first that is wrong')]);
  });

  it.each([
    ['a tile is missing', () => rmSync(join(copy, 'tile/0/000')), 'deposit.malformed'],
    ['a hash was changed', () => change('tile/0/000', 0), 'deposit.leaf'],
    ['an upper tile was changed', () => change('tile/1/000.p/1', 0), 'deposit.tile'],
  ])('ends with status 1 when %s', async (_, damage, code) => {
    damage();
    expect(await audited(copy)).toMatchObject({ status: 1, wrong: { code } });
  });

  it('believes no checkpoint of another key, and no log that is shorter than it was', async () => {
    expect(await audited(copy, '--since', early)).toMatchObject({ status: 0 });
    writeFileSync(join(copy, 'checkpoint'), writeCheckpoint({ size: 300, root: Buffer.alloc(32) }, logSigner('log.verifier.example', Buffer.alloc(32, 5))));
    expect(await audited(copy)).toMatchObject({ status: 1, error: { code: 'deposit.checkpoint' } });
    cpSync(early, join(copy, 'checkpoint'));
    const late = join(dir, 'log', 'checkpoint');
    expect(await audited(copy, '--since', late)).toMatchObject({ status: 1, wrong: { code: 'deposit.truncated' } });
  });

  it('reads a smaller log out of a copy that has grown since', async () => {
    cpSync(early, join(copy, 'checkpoint'));
    rmSync(join(copy, 'tile/0/000.p'), { recursive: true, force: true });
    expect(await audited(copy)).toMatchObject({ status: 0, size: 100 });
  });

  it('asks for the witnesses that are named', async () => {
    const url = `${service.running.url}/log`;
    expect(await audited(url, '--witness', witness.vkey)).toMatchObject({ status: 1, error: { code: 'deposit.unwitnessed' } });
    const note = (await service.call('GET', '/log/checkpoint', { admin: false })).text;
    await service.post('/log/cosignature', { size: 300, line: witness.line(noteText(note), 1_800_000_000) });
    expect(await audited(url, '--witness', witness.vkey)).toMatchObject({ status: 0, witnessed: [{ name: witness.name, time: 1_800_000_000 }] });
  });

  it('tells a log that cannot be reached from one that is wrong', async () => {
    expect((await ari('audit', 'http://127.0.0.1:1/log', '--keys', keys)).status).toBe(3);
    expect((await ari('audit', copy, '--keys', join(dir, 'none'))).status).toBe(2);
    expect((await ari('audit', copy)).status).toBe(2);
    expect((await ari('audit', join(dir, 'nowhere'), '--keys', keys)).status).toBe(1);
  });
});
