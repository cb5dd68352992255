/** What a user sees of her money: the leaves of her chains as they are deposited, and the statement of one carrier. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Verifier } from './context.js';
import type { UserEvent } from './store/verbs.js';

const POLL_MS = 200;
/** Something is sent at least this often, so that a connection without events is not taken for a dead one. */
const SILENCE_MS = 15_000;
const BATCH = 256;

/** From this place in the log on, until this time (ms) or until the listener is gone. */
export interface Listening { readonly from: number; readonly untilMs: number; readonly gone: AbortSignal }

/**
 * A user's events from a place in the log on, and then as they come; null now and then when there is none. The log is what all processes share, so it does
 * not matter which of them something happened at. Ends with the process, at its time, or when nobody listens any more.
 */
export async function* eventsOf(v: Verifier, userId: string, { from, untilMs, gone }: Listening): AsyncGenerator<UserEvent | null> {
  let next = from;
  for (let quietMs = 0; !v.stopping.aborted && !gone.aborted && v.now() < untilMs; quietMs += POLL_MS) {
    const events = await v.store.eventsOf({ userId, from: next, limit: BATCH });
    if (events.length > 0 || quietMs >= SILENCE_MS) quietMs = 0;
    if (quietMs === 0 && events.length === 0) yield null;
    for (const event of events) {
      yield event;
      next = event.index + 1;
    }
    if (events.length < BATCH) await sleep(POLL_MS, undefined, { signal: v.stopping }).catch(() => undefined);
  }
}
