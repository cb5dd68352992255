/**
 * The way into the deposit chain: a leaf waits in the queue from the transaction of the event it records, so that no event is without its leaf and no
 * leaf without its event. The same event queues once, whether its leaf still waits or stands in the log.
 */
import { leafText } from '../../src/objects/leaf.js';
import type { Tx } from './database.js';
import type { LeafDraft } from './verbs.js';

export interface LeafEvent { readonly eventId: string; readonly draft: LeafDraft }

/** @throws when the draft is no leaf: one bad leaf in the queue would stop the log for everybody. */
export async function enqueue(tx: Tx, { eventId, draft }: LeafEvent, nowMs: number): Promise<void> {
  const body = leafText({ ...draft, seq: 0, prev: null } as Parameters<typeof leafText>[0]);
  if (await tx.selectFrom('log_leaves').select('idx').where('event_id', '=', eventId).executeTakeFirst()) return;
  await tx.insertInto('log_queue').values({ event_id: eventId, chain: draft.chain, body, created_ms: nowMs }).onConflict((c) => c.doNothing()).execute();
}
