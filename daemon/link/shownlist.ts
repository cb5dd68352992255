/**
 * How much of the kernel's IMA list the verifier was shown, and what it is shown next. The verifier says where it stands, after each part; a list that does
 * not go on there is shown once more from its beginning, and if that is refused too, no more on this connection: the tier is T2 then, and payments go on.
 */
import { asFault, type Fault, fault } from '../../src/base/fault.js';
import { IMA_START, type ImaPlace } from '../tpm/kernellogs.js';
import type { ListBefore } from '../tpm/listcopy.js';
import type { Log, Prover } from '../tpm/types.js';
import type { LinkSocket } from './socket.js';

/** Where a part begins, and the copy of what is before it. */
export interface ListPlace { readonly place: ImaPlace | null; readonly before: ListBefore | null }
export const NO_LIST: ListPlace = { place: null, before: null };

export class ShownList {
  readonly #prover: Pick<Prover, 'imaPiece' | 'keepIma'>;
  readonly #log: Log;
  #next: ImaPlace | null = IMA_START;
  #again = false;

  constructor(prover: Pick<Prover, 'imaPiece' | 'keepIma'>, log: Log) {
    this.#prover = prover;
    this.#log = log;
  }

  /** The verifier's word on where the next part begins. */
  known(place: ImaPlace): void {
    if (this.#next !== null) this.#next = place;
  }

  /** A part was taken. */
  taken(): void {
    this.#again = false;
  }

  /** What is tried after a refusal. @returns false when the refusal was not about the list */
  refused({ code, message }: Fault): boolean {
    if (!code.startsWith('ima.') || this.#next === null) return false;
    this.#log.warn({ code }, message);
    this.#next = this.#again || code !== 'ima.gap' ? null : IMA_START;
    this.#again = true;
    return true;
  }

  /** Another device to the verifier: from the beginning. */
  begin(): void {
    this.#next = IMA_START;
    this.#again = false;
  }

  /** The connection is gone: what the verifier took it still knows. */
  disconnected(): void {
    if (this.#next === null) this.begin();
  }

  /** Whether something is left to show after a part that showed nothing: the list was too long for it, or the verifier knows its beginning. */
  async isLeft(): Promise<boolean> {
    return this.#next !== null && (this.#next.bytes > 0 || (await this.#prover.imaPiece(this.#next)) !== null);
  }

  /** What is left beyond one part goes ahead of the quote, which covers it then. @throws Fault ima.*, link.* */
  async sendPieces(socket: LinkSocket, deadlineMs: number): Promise<void> {
    for (let at = this.#next; at !== null;) {
      const piece = await this.#prover.imaPiece(at);
      if (piece === null) return;
      const answer = await socket.request('ima_append', piece, deadlineMs);
      if (answer.type !== 'ima' || answer.body.bytes <= at.bytes) throw fault('link.protocol', { what: 'a piece of the IMA list was not taken' });
      this.known(at = answer.body);
    }
  }

  /** The next part. A list that cannot be kept for the bundles is not shown: nobody could check the tier. One that is shorter than what is known is another. */
  async part(): Promise<ListPlace> {
    const place = this.#next;
    try {
      return { place, before: place && (await this.#prover.keepIma(place)) };
    } catch (error) {
      if (this.refused(asFault(error))) return this.part();
      this.#log.warn({ error: String(error) }, 'the IMA list cannot be kept, and is not shown');
      return NO_LIST;
    }
  }
}
