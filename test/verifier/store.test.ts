/** The store's promises, on embedded SQLite. Another database runs the same suites. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Libsql from 'libsql';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../verifier/store/store.js';
import { refusal, type SqlRow, type TestDatabase, useWorld } from './store/bench.js';
import { SUITES } from './store/suites.js';

/** In memory where there is such a directory: what a killed process wrote stays, only a power cut would show the difference. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A file with the schema and nothing in it: made once, copied for each test. */
async function emptyFile(): Promise<Buffer> {
  const dir = await mkdtemp(join(ROOT, 'ari-store-'));
  const path = join(dir, 'empty.db');
  await (await openStore({ path })).close();
  const bytes = await readFile(path);
  await rm(dir, { recursive: true });
  return bytes;
}
let empty: Promise<Buffer> | undefined;

async function sqlite(): Promise<TestDatabase> {
  const dir = await mkdtemp(join(ROOT, 'ari-store-'));
  const place = { path: join(dir, 'verifier.db') };
  await writeFile(place.path, await (empty ??= emptyFile()), { mode: 0o600 });
  const below = new Libsql(place.path);
  below.defaultSafeIntegers(true);
  below.exec('PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON');
  return {
    name: 'sqlite', place,
    open: () => openStore(place),
    sql: (text) => below.prepare(text).all() as SqlRow[],
    dispose: async () => { below.close(); await rm(dir, { recursive: true }); },
  };
}

for (const suite of SUITES) suite(sqlite);

describe('embedded SQLite', () => {
  const world = useWorld(sqlite);
  const path = () => (world.db.place as { path: string }).path;

  it('writes ahead, to files that belong to their owner alone', async () => {
    expect(world.db.sql('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    for (const suffix of ['', '-wal']) expect((await stat(path() + suffix)).mode & 0o777).toBe(0o600);
  });

  it('who waits for the lock does not stop the process, and goes on when it is free', async () => {
    world.db.sql('BEGIN IMMEDIATE');
    let answered = false;
    const waiting = world.store.addUser({ userId: 'usr_2', kind: 'person', nowMs: 1 }).then(() => { answered = true; });
    await sleep(60);
    expect(await world.other.userKeys('usr_1'), 'readers never wait').toEqual([]);
    expect(answered).toBe(false);
    world.db.sql('COMMIT');
    await waiting;
  });

  it.each([
    ['an earlier build, with other tables under the same number,', 'CREATE TABLE schema_version(version BIGINT PRIMARY KEY, applied_ms BIGINT NOT NULL); INSERT INTO schema_version VALUES (1, 0)'],
    ['another build that changed a version which it had,', "CREATE TABLE schema_version(version BIGINT PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL); INSERT INTO schema_version VALUES (1, 'other', 0)"],
    ['a newer release', "CREATE TABLE schema_version(version BIGINT PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL); INSERT INTO schema_version VALUES (99, 'newer', 0)"],
  ])('that %s made is left as it is, and refused with a name', async (_, made) => {
    const file = `${path()}.other`;
    const other = new Libsql(file);
    other.exec(made);
    expect(await refusal(openStore({ path: file }))).toBe('config.invalid');
    expect(other.prepare("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table'").get(), 'no table was added').toMatchObject({ n: 1 });
    other.close();
  });

  it('is refused with a name where there can be no file, for another kind of server, and for one that is not there', async () => {
    expect(await refusal(openStore({ path: join(path(), 'below', 'a-file.db') }))).toBe('config.unreadable');
    expect(await refusal(openStore({ url: 'mysql://db/ari' }))).toBe('config.invalid');
    expect(await refusal(openStore({ url: `postgres://ari@localhost/ari?host=${path()}` }))).toBe('store.unavailable');
  });
});
