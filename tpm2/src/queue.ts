import { ChannelError } from './errors.js';

export interface Turn {
  /** Higher goes first; equal ones in the order they came. Default 0. */
  priority?: number;
  /** Milliseconds from now in which the work must have ended, waiting included. */
  deadline: number;
}

interface Job {
  priority: number;
  start(): void;
}

/** Work that must not overlap: one at a time, highest priority first. Work that has begun is never interrupted. */
export class Queue {
  readonly #waiting: Job[] = [];
  #running = false;

  get length(): number {
    return this.#waiting.length;
  }

  /**
   * @param work is given the milliseconds that are left of its deadline and must keep to them itself
   * @throws ChannelError busy when the deadline passed before the turn came
   */
  run<T>(work: (left: number) => Promise<T>, { priority = 0, deadline }: Turn): Promise<T> {
    if (!this.#running) {
      this.#running = true;
      return this.#perform(work, deadline);
    }
    return new Promise<T>((resolve, reject) => {
      const end = performance.now() + deadline;
      const job: Job = {
        priority,
        start: () => {
          clearTimeout(late);
          this.#perform(work, Math.max(1, end - performance.now())).then(resolve, reject);
        },
      };
      const late = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(job), 1);
        reject(new ChannelError('busy', `the TPM was busy for ${Math.round(deadline)} ms with what came before`));
      }, deadline);
      let at = this.#waiting.length;
      while (at > 0 && this.#waiting[at - 1]!.priority < priority) at--;
      this.#waiting.splice(at, 0, job);
    });
  }

  async #perform<T>(work: (left: number) => Promise<T>, left: number): Promise<T> {
    try {
      return await work(left);
    } finally {
      this.#running = false;
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#running = true;
        next.start();
      }
    }
  }
}
