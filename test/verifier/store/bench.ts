/** The databases under test: how a suite gets a store, a second connection to it, and a look below the verbs. */
import { afterEach, beforeEach } from 'vitest';
import { auditLeaves, verifyChain } from '../../../src/deposit/chain.js';
import { peekCheckpoint } from '../../../src/deposit/checkpoint.js';
import type { Store } from '../../../verifier/store/verbs.js';
import type { SqlRow } from '../../support/postgres/sql.js';
import { settle } from './world.js';

export type { SqlRow };

/** One database. `open` gives one more connection to it, as another process would have it; `sql` runs below the verbs. */
export interface TestDatabase {
  readonly name: string;
  open(): Promise<Store>;
  readonly sql: (text: string) => SqlRow[];
  /** How a child process is told to open the same database. */
  readonly place: { path: string } | { url: string };
  dispose(): Promise<void>;
}
export type MakeDatabase = () => Promise<TestDatabase>;

/** The whole state proves itself: sums, balances, reservations, permits and log agree, whatever was done. @returns what is wrong */
export async function audit(store: Store, sql: TestDatabase['sql']): Promise<string[]> {
  const wrong: string[] = [];
  const none = (what: string, text: string): void => { if (sql(text).length > 0) wrong.push(what); };
  if ((await store.ledgerSum()) !== 0n) wrong.push('the ledger does not sum to zero');
  none('a balance is not the sum of its transfers', `SELECT account_id FROM accounts a WHERE balance <>
    (SELECT coalesce(sum(amount), 0) FROM transfers WHERE credit = a.account_id) - (SELECT coalesce(sum(amount), 0) FROM transfers WHERE debit = a.account_id)`);
  none('a carrier\'s reserved is not its reserved account', `SELECT carrier_id FROM carriers c WHERE reserved <> (SELECT balance FROM accounts WHERE account_id = 'reserved:' || c.carrier_id)`);
  none('a carrier\'s reserved is not its open reservations and what offline allowances hold', `SELECT carrier_id FROM carriers c WHERE reserved <> (SELECT coalesce(sum(amount - captured - released), 0) FROM reservations r WHERE r.carrier_id = c.carrier_id)
    + (SELECT coalesce(sum(max_total - spent), 0) FROM allowances a WHERE a.carrier_id = c.carrier_id AND state <> 'ended')`);
  none('an allowance\'s spent is not that of its payments', `SELECT allowance_id FROM allowances a WHERE spent <> (SELECT coalesce(sum(amount), 0) FROM offline_counts o JOIN reservations r USING(payment_id) WHERE o.allowance_id = a.allowance_id)`);
  none('an ended allowance still holds a use of its mandate', `SELECT allowance_id FROM allowances a WHERE state = 'ended' AND EXISTS (SELECT 1 FROM mandate_uses u WHERE u.payment_id LIKE a.allowance_id || ':%' AND u.state <> 'freed')`);
  none('a carrier\'s spent is not what was captured', `SELECT carrier_id FROM carriers c WHERE spent <> (SELECT coalesce(sum(captured), 0) FROM reservations r WHERE r.carrier_id = c.carrier_id)`);
  none('a permit without its reservation', `SELECT payment_id FROM attempts a WHERE decision_kind = 'permit' AND NOT EXISTS (SELECT 1 FROM reservations r WHERE r.payment_id = a.payment_id)`);
  none('a reservation without its permit', `SELECT payment_id FROM reservations r WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE r.payment_id = a.payment_id AND decision_kind = 'permit')`);
  none('an attempt whose nonce was not consumed', `SELECT nonce FROM attempts a WHERE NOT EXISTS (SELECT 1 FROM used_nonces u WHERE u.nonce = a.nonce)`);
  none('an attempt without its leaf', `SELECT payment_id FROM attempts a JOIN payments p USING(payment_id)
    WHERE (SELECT count(*) FROM log_leaves l WHERE l.payment_sha256 = p.payment_sha256) + (SELECT count(*) FROM log_queue q WHERE q.body LIKE '%' || p.payment_sha256 || '%') = 0`);
  none('a leaf that is both queued and logged', 'SELECT event_id FROM log_queue JOIN log_leaves USING(event_id)');
  wrong.push(...(await auditLog(store)));
  return wrong;
}

/** The log of one moment: a verifier may be writing. */
async function copyOf(store: Store) {
  for (;;) {
    const checkpoint = await store.checkpoint();
    const leaves = await store.leaves(0, Number.MAX_SAFE_INTEGER);
    if ((await store.checkpoint())?.note === checkpoint?.note) return { checkpoint, leaves };
  }
}

async function auditLog(store: Store): Promise<string[]> {
  const { checkpoint, leaves } = await copyOf(store);
  if (!checkpoint) return leaves.length > 0 ? ['leaves without a checkpoint'] : [];
  try {
    auditLeaves(leaves, peekCheckpoint(checkpoint.note));
    for (const chain of new Set(leaves.map((one) => one.chain))) verifyChain(leaves.filter((one) => one.chain === chain).map((one) => one.leaf));
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/** What a suite works with: a settled world, a second connection, and the oracle after every test. */
export function useWorld(make: MakeDatabase, settled = true): { store: Store; other: Store; db: TestDatabase } {
  const world = {} as { store: Store; other: Store; db: TestDatabase };
  beforeEach(async () => {
    world.db = await make();
    world.store = await world.db.open();
    world.other = await world.db.open();
    if (settled) await settle(world.store);
  });
  afterEach(async () => {
    const wrong = await audit(world.store, world.db.sql);
    await world.store.close();
    await world.other.close();
    await world.db.dispose();
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  });
  return world;
}

/** What a promise was refused with: the code of its fault, the whole error when it is none, null when it was not refused. */
export async function refusal(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}
