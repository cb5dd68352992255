/** Rows by which the processes that share this database tell each other what devices must hear. */
import type { Database, Tx } from './database.js';
import type { OutboxRow, Store } from './verbs.js';

/** In the transaction of the change that they tell of: a reader sees both or neither. */
export async function announce(tx: Tx, rows: readonly OutboxRow[] = []): Promise<void> {
  const columns = rows.map(({ eventId, topic, subject, body, createdMs }) => ({ event_id: eventId, topic, subject, body, created_ms: createdMs }));
  if (columns.length > 0) await tx.insertInto('outbox').values(columns).execute();
}

export const outboxVerbs = (db: Database): Pick<Store, 'putOutbox' | 'outbox' | 'clearOutbox'> => ({
  putOutbox: (rows) => db.write((tx) => announce(tx, rows)),

  outbox: (fromMs) => db.read(async (tx) => {
    const rows = await tx.selectFrom('outbox').selectAll().where('created_ms', '>=', BigInt(fromMs)).orderBy('created_ms').orderBy('event_id').execute();
    return rows.map(({ event_id: eventId, topic, subject, body, created_ms }) => ({ eventId, topic: topic as OutboxRow['topic'], subject, body, createdMs: Number(created_ms) }));
  }),

  clearOutbox: (beforeMs) => db.write(async (tx) => { await tx.deleteFrom('outbox').where('created_ms', '<', BigInt(beforeMs)).execute(); }),
});
