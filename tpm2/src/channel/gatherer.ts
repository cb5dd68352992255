import { HEADER_SIZE, MAX_RESPONSE } from './limits.js';

/** Puts a response together from the parts in which a stream delivers it. The header's size is the peer's word: it is bounded before it is believed. */
export class Gatherer {
  #parts: Buffer[] = [];
  #have = 0;

  /** The whole response; null while more must come; a sentence when it cannot be one. */
  add(part: Buffer): Buffer | null | string {
    this.#parts.push(part);
    this.#have += part.length;
    if (this.#have < HEADER_SIZE) return null;
    const all = this.#parts.length === 1 ? part : Buffer.concat(this.#parts);
    const size = all.readUInt32BE(2);
    if (size < HEADER_SIZE || size > MAX_RESPONSE) return `a response of ${size} bytes, by its header`;
    if (this.#have > size) return `${this.#have - size} bytes after the response`;
    if (this.#have < size) { this.#parts = [all]; return null; }
    this.#parts = [];
    this.#have = 0;
    return all;
  }
}
