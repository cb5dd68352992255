/**
 * The pages of measurement logs that wait for the evidence which certifies them. Who sends them may be anyone until that evidence comes, so what all
 * connections leave waiting together has a bound; a device that does not need pages is not held up when it is reached.
 */
import { logEnd } from '../../attest/evidence.js';
import { addPage, sizeOf } from '../../attest/pages.js';
import { fault } from '../../src/base/fault.js';
import type { LogDelta } from '../../src/objects/evidence.js';

/** What may wait, over all connections; the pages of manifests with them. */
export class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws Fault link.busy */
  take(bytes: number): void {
    if (bytes > this.#left) throw fault('link.busy', { what: 'pages of logs and manifests' });
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

export class Pages {
  readonly #room: Room;
  #held: LogDelta | null = null;
  #bytes = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** @param known entries of this epoch that the store has. @throws Fault log.gap, log.digest, log.entry, log.too_long, link.busy: then nothing is held */
  add(page: LogDelta, known: number): void {
    const before = this.take();
    const held = addPage(before, page, known);
    const bytes = sizeOf(held.entries);
    this.#room.take(bytes);
    this.#held = held;
    this.#bytes = bytes;
  }

  /** The log that the pages begin and this part ends. Nothing is held any more. @throws Fault log.gap, log.digest, log.entry, log.too_long */
  end(last: LogDelta): LogDelta {
    const held = this.take();
    return held === null ? last : addPage(held, last, logEnd(last));
  }

  /** What is held, and held no longer. */
  take(): LogDelta | null {
    const held = this.#held;
    this.#room.give(this.#bytes);
    this.#held = null;
    this.#bytes = 0;
    return held;
  }
}
