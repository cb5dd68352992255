/** Rows by which the processes that share this database tell each other what devices must hear. */
import type { Database } from './database.js';
import type { OutboxRow, Store } from './verbs.js';

export const outboxVerbs = (db: Database): Pick<Store, 'putOutbox' | 'outbox' | 'clearOutbox'> => ({
  putOutbox: ({ eventId, topic, subject, body, createdMs }) => db.write(async (tx) => {
    await tx.insertInto('outbox').values({ event_id: eventId, topic, subject, body, created_ms: createdMs }).execute();
  }),

  outbox: (fromMs) => db.read(async (tx) => {
    const rows = await tx.selectFrom('outbox').selectAll().where('created_ms', '>=', BigInt(fromMs)).orderBy('created_ms').orderBy('event_id').execute();
    return rows.map(({ event_id: eventId, topic, subject, body, created_ms }) => ({ eventId, topic: topic as OutboxRow['topic'], subject, body, createdMs: Number(created_ms) }));
  }),

  clearOutbox: (beforeMs) => db.write(async (tx) => { await tx.deleteFrom('outbox').where('created_ms', '<', BigInt(beforeMs)).execute(); }),
});
