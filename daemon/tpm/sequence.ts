/** The sequence number inside every binding: strictly rising over the life of the state directory, also over `kill -9`. */
import { count, record } from '../../src/base/shape.js';
import { readState, writeState } from '../state.js';

/** Numbers reserved by one durable write: a crash wastes at most these, and no payment waits for an fsync of its own. */
export const SEQUENCE_BLOCK = 1024;

/** Every number below `reserved` may have been used. */
const sequenceState = record({ reserved: count });

export class Sequence {
  readonly #path: string;
  #next: number;
  #reserved: number;

  private constructor(path: string, reserved: number) {
    this.#path = path;
    this.#next = reserved;
    this.#reserved = reserved;
  }

  /** Begins at 1: a device that never bound anything is at 0. */
  static async open(path: string): Promise<Sequence> {
    return new Sequence(path, (await readState(path, sequenceState))?.reserved ?? 1);
  }

  /** The first of `n` successive numbers that nobody had before. One caller at a time. */
  async take(n: number): Promise<number> {
    const first = this.#next;
    if (first + n > this.#reserved) {
      const reserved = first + n + SEQUENCE_BLOCK;
      await writeState(this.#path, sequenceState, { reserved });
      this.#reserved = reserved;
    }
    this.#next = first + n;
    return first;
  }
}
