/**
 * All that is particular to SQLite. Durable: WAL with synchronous=FULL, so a commit that returned survives a power cut.
 *
 * A write transaction takes the one write lock when it begins (BEGIN IMMEDIATE), never half way, so that no verb deadlocks. Who waits for a lock waits
 * with timers and not inside the library: its waiting would stop the whole process, the holder of the lock included. A unit of work may therefore run
 * more than once, after having been rolled back whole.
 */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompiledQuery, type DatabaseConnection, Kysely, type SqliteDatabase, SqliteDialect, SqliteDriver, type SqliteStatement, type TransactionSettings } from 'kysely';
import Libsql from 'libsql';
import { Fault, fault } from '../../src/base/fault.js';
import type { Database, Tx } from './database.js';
import type { Tables } from './tables.js';

const LOCK_WAIT_MS = 10_000;
const OPEN_WAIT_MS = 5_000;

/** Whether a statement gives rows never changes, and the library asks SQLite for it anew each time. */
const prepared = (statement: SqliteStatement): SqliteStatement =>
  ({ reader: statement.reader, all: (values) => statement.all(values), run: (values) => statement.run(values), iterate: (values) => statement.iterate(values) });

/** Statements are prepared once: the verbs are a fixed set of texts. They outlive `close` until they are collected, so the journal is emptied first. */
function preparing(file: Libsql.Database): SqliteDatabase {
  const known = new Map<string, SqliteStatement>();
  return {
    close() {
      file.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      file.close();
    },
    prepare(sql) {
      const statement = known.get(sql) ?? prepared(file.prepare(sql) as unknown as SqliteStatement);
      known.set(sql, statement);
      return statement;
    },
  };
}

const BEGIN = { read: CompiledQuery.raw('begin'), write: CompiledQuery.raw('begin immediate') };
const COMMIT = CompiledQuery.raw('commit');

class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    await connection.executeQuery(settings?.accessMode === 'read only' ? BEGIN.read : BEGIN.write);
  }
  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(COMMIT);
  }
}

class ImmediateDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;
  constructor(database: SqliteDatabase) {
    super({ database });
    this.#database = database;
  }
  override createDriver(): SqliteDriver {
    return new ImmediateDriver({ database: this.#database });
  }
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');
const isBusy = (error: unknown): boolean => codeOf(error).startsWith('SQLITE_BUSY');

/** SQLite's words for a broken promise of the schema, as ours. A broken CHECK stays what it is: a bug. */
function inOurWords(error: unknown): unknown {
  const code = codeOf(error);
  if (isBusy(error)) return new Fault('store.busy', {}, error);
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return new Fault('store.conflict', { what: String((error as Error).message).replace(/^.*: /, '') }, error);
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new Fault('intake.not_found', { what: 'row that this one refers to' }, error);
  return error;
}

async function patiently<T>(unit: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + LOCK_WAIT_MS; ; await sleep(1 + Math.random() * 8)) {
    try {
      return await unit();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw inOurWords(error);
    }
  }
}

/** The file is made for its owner alone, and its journal after it. */
function openFile(path: string): Libsql.Database {
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (cause) {
    throw fault('config.unreadable', { file: path, what: codeOf(cause) });
  }
  const file = new Libsql(path);
  file.defaultSafeIntegers(true);
  file.exec(`PRAGMA busy_timeout=${OPEN_WAIT_MS}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=0`);
  return file;
}

/** One consistent state of a store that others may be writing, as a file of its own. @throws what SQLite says; the copy must not be there */
export function copySqlite(path: string, copy: string): void {
  const file = openFile(path);
  try {
    file.prepare('VACUUM INTO ?').run(copy);
  } finally {
    file.close();
  }
}

/** @throws Fault config.unreadable */
export function openSqlite(path: string): Database {
  const db = new Kysely<Tables>({ dialect: new ImmediateDialect(preparing(openFile(path))) });
  const write = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => patiently(() => db.transaction().execute(work));
  return {
    write,
    alone: write,
    read: <T>(work: (tx: Tx) => Promise<T>) => patiently(() => db.transaction().setAccessMode('read only').setIsolationLevel('repeatable read').execute(work)),
    close: () => db.destroy(),
  };
}
