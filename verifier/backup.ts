/**
 * `ari verifier backup` and `restore`: all that a verifier is, in one folder: its store as of one moment, keys, operator's token, policy, publishers. The
 * adversary of a restore is time: what was decided after the copy is lost to it, but not to those who saw it. A log that began again from an older state would
 * give the places of published leaves to others, so nothing is restored that does not hold the newest checkpoint that anybody has seen.
 *
 * The tiles of the log follow from the store and are not copied. A PostgreSQL server has backups of its own; the rule for the log is the same.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fault } from '../src/base/fault.js';
import { placeOf, type VerifierConfig } from './config.js';
import { loadKeys } from './keys.js';
import { assertHolds } from './log.js';
import { copySqlite } from './store/sqlite.js';
import { openStore } from './store/store.js';

const STORE = 'verifier.db';
const KEYS = 'keys';
const CHECKPOINT = 'checkpoint';

/** `size`: leaves of the log in it. */
export interface Backup { readonly size: number }

/** Where the single files stand, under their names in a backup. */
const filesOf = ({ api, trust }: VerifierConfig): Record<string, string> => ({ 'admin-token': api.adminTokenFile, 'policy.jwt': trust.policyFile, 'publishers.json': trust.publishers });

/** The file of the store. @throws Fault usage.wrong for a PostgreSQL server */
function fileOf(config: VerifierConfig): string {
  const place = placeOf(config);
  if ('url' in place) throw fault('usage.wrong', { what: 'the store is a PostgreSQL server: back it up with pg_dump, and the keys beside it' });
  return place.path;
}

function assertFree(places: readonly string[]): void {
  const taken = places.find((place) => existsSync(place));
  if (taken !== undefined) throw fault('usage.wrong', { what: `${taken} exists already` });
}

/** Copies a verifier, running or not, into a new folder that only its owner reads. The folder is there whole or not at all. @throws Fault usage.wrong, config.unreadable */
export async function backup(config: VerifierConfig, dir: string): Promise<Backup> {
  const store = fileOf(config);
  if (!existsSync(store)) throw fault('config.unreadable', { file: store, what: 'ENOENT' });
  assertFree([dir]);
  mkdirSync(dirname(dir), { recursive: true });
  const made = mkdtempSync(`${dir}.`);
  try {
    copySqlite(store, join(made, STORE));
    chmodSync(join(made, STORE), 0o600);
    copyAll(config.keys.dir, join(made, KEYS));
    for (const [name, file] of Object.entries(filesOf(config))) copyFileSync(file, join(made, name));
    const newest = await checkpointOf(join(made, STORE));
    if (newest !== null) writeFileSync(join(made, CHECKPOINT), newest.note);
    renameSync(made, dir);
    return { size: newest?.size ?? 0 };
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Puts a backup where the configuration says, and where nothing is yet.
 * @param seen the newest checkpoint that anybody has seen: of the tiles that are left, a mirror, a witness
 * @throws Fault usage.wrong (something is there), deposit.behind (the log went on after the backup: nothing was restored)
 */
export async function restore(config: VerifierConfig, dir: string, seen: string): Promise<Backup> {
  const [store, single] = [fileOf(config), Object.entries(filesOf(config))];
  assertFree([store, config.keys.dir, ...single.map(([, file]) => file)]);
  const { log } = loadKeys(join(dir, KEYS), config.deposit.origin);
  const newest = await checkpointOf(join(dir, STORE), (own) => assertHolds(own, seen, log.vkey));
  mkdirSync(dirname(store), { recursive: true, mode: 0o700 });
  copyAll(join(dir, KEYS), config.keys.dir);
  for (const [name, file] of single) {
    mkdirSync(dirname(file), { recursive: true });
    copyFileSync(join(dir, name), file);
  }
  copySqlite(join(dir, STORE), store);
  chmodSync(store, 0o600);
  return { size: newest?.size ?? 0 };
}

function copyAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name));
}

/** The newest checkpoint of a store; `check` looks at the store first. */
async function checkpointOf(path: string, check: (store: Awaited<ReturnType<typeof openStore>>) => Promise<void> = () => Promise.resolve()): Promise<{ size: number; note: string } | null> {
  const store = await openStore({ path });
  try {
    await check(store);
    return await store.checkpoint();
  } finally {
    await store.close();
  }
}
