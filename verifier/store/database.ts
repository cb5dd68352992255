/**
 * A unit of work: each verb runs in one of these, and nothing else opens a transaction. The dialects (sqlite.ts, postgres.ts) implement it; what is here is
 * true of every database.
 */
import type { Transaction } from 'kysely';
import { fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';
import type { Tables } from './tables.js';
import type { DecideResult } from './verbs.js';

export type Tx = Transaction<Tables>;

export interface Database {
  /**
   * All of `work` or nothing of it, durable when this returns. Others write at the same time: only the row count of a conditional write says that what was
   * read is still so, and a row that was written stays locked to the end. It may hold the only write lock: no network, no waiting inside.
   * @throws Fault store.conflict, store.busy; store.unavailable, after which nobody knows whether it was done
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** As {@link write}, and no other `alone` at the same time. */
  alone<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** `work` sees one state of the database, whatever others commit meanwhile. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type Refusal = Exclude<DecideResult, { ok: true }>;

/** Thrown inside a unit of work whose guard does not hold: rolls it back and carries the verb's answer out. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super('a guard of the transaction does not hold');
    this.refusal = refusal;
  }
}

export const refused = (code: Code): Refused => new Refused({ ok: false, retry: false, code });
/** Somebody else moved what was read: read again and adjudicate again. */
export const moved = (): Refused => new Refused({ ok: false, retry: true });

/** Runs a unit of work and turns a broken guard into its value. */
export async function outcome(work: Promise<unknown>): Promise<DecideResult> {
  try {
    await work;
    return { ok: true };
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
}

const TRIES = 5;

/**
 * A unit of work that reads by itself what it then guards, so that it can be run again when somebody else was first.
 * @throws Fault store.busy when others were first every time
 */
export async function insist<T>(db: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let left = TRIES; left > 0; left--) {
    try {
      return await db.write(work);
    } catch (error) {
      if (!(error instanceof Refused && error.refusal.retry)) throw error;
    }
  }
  throw fault('store.busy');
}

/** What a conditional write gives back: how many rows its guard let through. */
interface Written { readonly numInsertedOrUpdatedRows?: bigint | undefined; readonly numUpdatedRows?: bigint }
/** True when the guard of a conditional write let exactly one row through. */
export const hitOne = ({ numInsertedOrUpdatedRows, numUpdatedRows }: Written): boolean => (numInsertedOrUpdatedRows ?? numUpdatedRows) === 1n;

type Value = string | bigint | number | null;
type Row = Record<string, Value>;

/**
 * Adds a row that is written once and never changed. The same facts again are no error; other facts under the same key are.
 * @param noted columns that say when or how it came here, and may differ on a repeat
 * @throws Fault store.conflict
 */
export async function addOnce(tx: Tx, table: keyof Tables, key: Row, facts: Row, noted: Row = {}): Promise<void> {
  const rows = tx as unknown as Transaction<Record<string, Row>>;
  if (hitOne(await rows.insertInto(table).values({ ...key, ...facts, ...noted }).onConflict((c) => c.doNothing()).executeTakeFirst())) return;
  let query = rows.selectFrom(table).selectAll();
  for (const [column, value] of Object.entries(key)) query = query.where(column, '=', value);
  const stored = await query.executeTakeFirst();
  const same = stored && Object.entries(facts).every(([column, value]) => stored[column] === (typeof value === 'number' ? BigInt(value) : value));
  if (!same) throw fault('store.conflict', { what: `${table} ${Object.values(key).join(' ')}` });
}
