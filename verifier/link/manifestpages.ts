/** The pages of a manifest that is on its way: one at a time, in order, with room for all of it from the first on. Its sender is an enrolled device. */
import { fault } from '../../src/base/fault.js';
import type { Sha256 } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import type { Room } from './pages.js';

interface Held { readonly manifestSha256: Sha256; readonly size: number; text: string }

export class ManifestPages {
  readonly #room: Room;
  #held: Held | null = null;

  constructor(room: Room) {
    this.#room = room;
  }

  /** @returns the manifest when this was its last page; it is held no longer. @throws Fault link.protocol (a page that does not go on), link.busy: then nothing is held */
  add({ manifestSha256, size, from, text }: LinkBody<'manifest'>): string | null {
    const held = from === 0 ? this.#begin(manifestSha256, size) : this.#held;
    const goesOn = held?.manifestSha256 === manifestSha256 && held.size === size && held.text.length === from && from + text.length <= size;
    if (!goesOn) {
      this.drop();
      throw fault('link.protocol', { what: `a page of a manifest from character ${from} on` });
    }
    held.text += text;
    if (held.text.length < size) return null;
    this.drop();
    return held.text;
  }

  /** Nothing is held any more. */
  drop(): void {
    if (this.#held !== null) this.#room.give(this.#held.size);
    this.#held = null;
  }

  #begin(manifestSha256: Sha256, size: number): Held {
    this.drop();
    this.#room.take(size);
    return (this.#held = { manifestSha256, size, text: '' });
  }
}
