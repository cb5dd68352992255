/** Status lists as verbs: a place is given to a subject once, and its value follows the subject's state in the transaction that changes it. */
import type { SelectQueryBuilder } from 'kysely';
import type { StatusValue } from '../../src/objects/status.js';
import { type Database, hitOne, insist, moved, type Tx } from './database.js';
import type { Tables } from './tables.js';
import type { Store } from './verbs.js';

type Place = Parameters<Store['statusIndex']>[0];

async function statusIndex(tx: Tx, { list, subject, nowMs }: Place): Promise<number> {
  const known = await tx.selectFrom('statuses').select('idx').where('subject', '=', subject).executeTakeFirst();
  if (known) return Number(known.idx);
  const { last } = await tx.selectFrom('statuses').select((eb) => eb.fn.max('idx').as('last')).where('list', '=', list).executeTakeFirstOrThrow();
  const idx = last === null ? 0 : Number(last) + 1;
  if (!hitOne(await tx.insertInto('statuses').values({ list, idx, subject, value: 0, changed_ms: nowMs }).onConflict((c) => c.doNothing()).executeTakeFirst())) throw moved();
  return idx;
}

/** Valid, suspended, or invalid for ever: what the states of carriers, mandates and devices say to others. */
const VALUE_OF: Record<string, StatusValue> = { active: 0, valid: 0, enrolled: 0, frozen: 2, suspended: 2, revoked: 1, expired: 1 };

/** The status of a subject, when it has one, as its state is now. */
export async function writeStatus(tx: Tx, subject: string, state: string, nowMs: number): Promise<void> {
  await tx.updateTable('statuses').set({ value: VALUE_OF[state] ?? 1, changed_ms: nowMs }).where('subject', '=', subject).execute();
}

/** Of mandates that are revoked together. */
export async function endStatuses(tx: Tx, mandates: SelectQueryBuilder<Tables, 'mandates', { mandate_id: string }>, nowMs: number): Promise<void> {
  await tx.updateTable('statuses').set({ value: 1, changed_ms: nowMs }).where('subject', 'in', mandates).execute();
}

export const statusVerbs = (db: Database): Pick<Store, 'statusIndex' | 'statuses'> => ({
  statusIndex: (input) => insist(db, (tx) => statusIndex(tx, input)),
  statuses: (list) => db.read(async (tx) => {
    const rows = await tx.selectFrom('statuses').select(['idx', 'value']).where('list', '=', list).where('value', '<>', 0n).orderBy('idx').execute();
    const last = await tx.selectFrom('statuses').select(['idx', 'value']).where('list', '=', list).orderBy('idx', 'desc').limit(1).execute();
    return [...rows, ...last.filter(({ value }) => value === 0n)].map(({ idx, value }) => ({ idx: Number(idx), value: Number(value) as StatusValue }));
  }),
});
