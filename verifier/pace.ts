/** How much one user may ask of this process, so that nobody's program keeps the others waiting. Only who proved a request is counted. */
import { fault } from '../src/base/fault.js';
import { Recent } from '../src/base/recent.js';
import { Bucket } from './link/limits.js';

/** A page that shows a user everything makes some ten requests at once. */
const REQUESTS = { perSecond: 20, burst: 100 };
/** Open event streams: some terminals and some pages. */
const STREAMS = 16;
/** Users that are remembered; who asked for nothing the longest begins with a full bucket. */
const USERS = 10_000;

export class Pace {
  readonly #buckets = new Recent<Bucket>(USERS);
  readonly #streams = new Map<string, number>();

  /** @throws Fault intake.pace */
  assertSlow(userId: string, nowMs: number): void {
    const bucket = this.#buckets.get(userId) ?? new Bucket(REQUESTS, nowMs);
    this.#buckets.set(userId, bucket, 1);
    if (!bucket.take(nowMs)) throw fault('intake.pace', { max: `${REQUESTS.perSecond} requests in a second` });
  }

  /** @throws Fault intake.pace */
  assertFewStreams(userId: string): void {
    if ((this.#streams.get(userId) ?? 0) >= STREAMS) throw fault('intake.pace', { max: `${STREAMS} open event streams` });
  }

  /** Counts a stream for as long as it is listened to. */
  async *counted<T>(userId: string, stream: AsyncIterable<T>): AsyncGenerator<T> {
    this.#streams.set(userId, (this.#streams.get(userId) ?? 0) + 1);
    try {
      yield* stream;
    } finally {
      const left = this.#streams.get(userId)! - 1;
      if (left > 0) this.#streams.set(userId, left);
      else this.#streams.delete(userId);
    }
  }
}
