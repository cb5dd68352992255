/**
 * How much of the kernel's IMA list the verifier was shown, and what it is shown next. The verifier says where it stands, after each part; a list that does
 * not go on there is shown once more from its beginning, and if that is refused too, no more on this connection: the tier is T2 then, and payments go on.
 */
import type { Fault } from '../../src/base/fault.js';
import { IMA_START, type ImaPlace } from '../tpm/kernellogs.js';

export class ShownList {
  #next: ImaPlace | null = IMA_START;
  #again = false;

  /** Where the next part begins; null when none is shown. */
  get next(): ImaPlace | null {
    return this.#next;
  }

  /** The verifier's word. */
  known(place: ImaPlace): void {
    if (this.#next !== null) this.#next = place;
  }

  /** A part was taken. */
  taken(): void {
    this.#again = false;
  }

  /** What is tried after a refusal. @returns false when the refusal was not about the list */
  refused({ code }: Fault): boolean {
    if (!code.startsWith('ima.') || this.#next === null) return false;
    this.#next = this.#again || code !== 'ima.gap' ? null : IMA_START;
    this.#again = true;
    return true;
  }

  /** Another key, another verifier's device: from the beginning. */
  begin(): void {
    this.#next = IMA_START;
    this.#again = false;
  }

  /** The connection is gone: what the verifier took it still knows. */
  disconnected(): void {
    if (this.#next === null) this.begin();
  }
}
