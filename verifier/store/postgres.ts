/**
 * All that is particular to PostgreSQL. Writes are READ COMMITTED: each guard of a verb is a conditional write, which waits for the row's last writer and is
 * then judged by what that one committed; its row count decides. Reads see one snapshot. Durable: `synchronous_commit` is on, whatever the server's default.
 *
 * Verbs take their rows in one order (store.ts). Where two meet in another order all the same, the server ends one of them, and its unit of work runs again
 * after it was rolled back whole. What a lost connection was committing is known to nobody: that unit is never run again here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { Fault, fault } from '../../src/base/fault.js';
import type { Database, Tx } from './database.js';
import type { Tables } from './tables.js';

export const SERVER_URL = /^postgres(?:ql)?:\/\/\S+$/;
const CONNECTIONS = 16;
const CONNECT_MS = 5_000;
/** Who waits longer for a row is told that the store is busy; who holds rows and says nothing, such as a machine that vanished, is rolled back. */
const LOCK_WAIT_MS = 10_000;
const SETTINGS = `-c synchronous_commit=on -c lock_timeout=${LOCK_WAIT_MS} -c idle_in_transaction_session_timeout=30000`;
/** Name of the lock of those who work alone: "ari" and a number. */
const ALONE = 0x617269_01;

/** int8 and int4, which a driver for JavaScript would give as text and number. */
const INTEGERS = new Set([20, 23]);
const types = { getTypeParser: (oid: number, format?: 'text' | 'binary'): unknown => (INTEGERS.has(oid) ? BigInt : pg.types.getTypeParser(oid, format as 'text')) } as pg.CustomTypesConfig;

/** SQLSTATEs (PostgreSQL, appendix A) of a unit that did nothing and may be run again: serialization failure, deadlock. */
const AGAIN = new Set(['40001', '40P01']);
/** Connection exceptions, no more resources, the operator's intervention, a standby that only reads. */
const AWAY = /^(?:08|53|57P)|^25006$/;
const CONFLICT = '23505';
const NO_SUCH_ROW = '23503';
const LOCK_TIMEOUT = '55P03';
/** A wrong password, user or database. */
const REFUSED = /^(?:28|3D)/;
/** What the driver says of a connection that broke under it, as text alone. */
const BROKEN = /connection terminated|timeout exceeded when trying to connect|not queryable|client was closed/i;

const stateOf = (error: unknown): string => (error instanceof pg.DatabaseError ? (error.code ?? '') : '');
const isBroken = (error: unknown): boolean => error instanceof Error && !(error instanceof Fault) && ('syscall' in error || error instanceof AggregateError || BROKEN.test(error.message));

/** The server's words for a broken promise of the schema, and the network's, as ours. A broken CHECK stays what it is: a bug. */
function inOurWords(error: unknown): unknown {
  const state = stateOf(error);
  if (AGAIN.has(state) || state === LOCK_TIMEOUT) return new Fault('store.busy', {}, error);
  if (state === CONFLICT) return new Fault('store.conflict', { what: (error as pg.DatabaseError).constraint ?? 'a row' }, error);
  if (state === NO_SUCH_ROW) return new Fault('intake.not_found', { what: 'row that this one refers to' }, error);
  if (REFUSED.test(state)) return new Fault('config.unreadable', { file: 'the database', what: (error as Error).message }, error);
  return AWAY.test(state) || isBroken(error) ? new Fault('store.unavailable', {}, error) : error;
}

async function patiently<T>(unit: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + LOCK_WAIT_MS; ; await sleep(1 + Math.random() * 8)) {
    try {
      return await unit();
    } catch (error) {
      if (!AGAIN.has(stateOf(error)) || performance.now() > until) throw inOurWords(error);
    }
  }
}

/** A connection that breaks while nobody uses it says so by an event, which would end the process if nobody listened; whoever uses it next is told. */
function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, connectionTimeoutMillis: CONNECT_MS, keepAlive: true, application_name: 'ari-verifier', options: SETTINGS, types });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => { client.on('error', () => undefined); });
  return pool;
}

/** @throws Fault config.invalid for what is no address of a PostgreSQL server */
export function openPostgres(url: string): Database {
  if (!SERVER_URL.test(url) || !URL.canParse(url)) throw fault('config.invalid', { file: '[store] url', what: 'it must be postgres://USER@HOST/DATABASE' });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(url) }) });
  const write = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => patiently(() => db.transaction().setIsolationLevel('read committed').execute(work));
  return {
    write,
    alone: (work) => write(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(${ALONE})`.execute(tx);
      return work(tx);
    }),
    read: <T>(work: (tx: Tx) => Promise<T>) => patiently(() => db.transaction().setAccessMode('read only').setIsolationLevel('repeatable read').execute(work)),
    close: () => db.destroy(),
  };
}
