/**
 * DER (X.690) as far as certificates and revocation lists need it. Every byte comes from a stranger: lengths are definite, minimal and inside what holds
 * them, tags are one byte, nothing is read twice and nothing recurses, so that reading costs time in proportion to the bytes.
 */
import { fault } from '../../src/base/fault.js';
import type { Oddities } from './oddities.js';

export const TAG = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06, enumerated: 0x0a, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31,
} as const;

/** One element: `at` is where its tag stands in the bytes that were read first, `whole` tag, length and body. */
export interface Der { readonly tag: number; readonly at: number; readonly body: Buffer; readonly whole: Buffer; readonly oddities: Oddities }

export const malformed = (at: number, what: string): never => { throw fault('cert.malformed', { at, what }); };

function header(bytes: Buffer, from: number, at: number): { body: number; end: number } {
  const first = bytes[from + 1] ?? malformed(at + from, 'it is cut off');
  if ((bytes[from]! & 0x1f) === 0x1f) malformed(at + from, 'a tag of several bytes');
  const digits = first < 0x80 ? 0 : first - 0x80;
  if (first === 0x80 || digits > 3) malformed(at + from, 'a length that is not DER');
  let size = digits === 0 ? first : 0;
  for (let i = 0; i < digits; i++) size = size * 256 + (bytes[from + 2 + i] ?? malformed(at + from, 'it is cut off'));
  if (digits > 0 && (size < 0x80 || size < 256 ** (digits - 1))) malformed(at + from, 'a length that is not minimal');
  const body = from + 2 + digits;
  if (body + size > bytes.length) malformed(at + from, `it is cut off: ${size} bytes are announced, ${bytes.length - body} are there`);
  return { body, end: body + size };
}

/** The elements of a body, in order. What is left over is refused by {@link end}. */
export class DerReader {
  #from = 0;
  private readonly bytes: Buffer;
  private readonly at: number;
  readonly oddities: Oddities;

  constructor(bytes: Buffer, at: number, oddities: Oddities) {
    this.bytes = bytes;
    this.at = at;
    this.oddities = oddities;
  }

  get position(): number { return this.at + this.#from; }
  get done(): boolean { return this.#from >= this.bytes.length; }
  /** The tag that comes next; null at the end. */
  get tag(): number | null { return this.bytes[this.#from] ?? null; }

  next(what: string): Der {
    if (this.done) malformed(this.position, `${what} is missing`);
    const { body, end } = header(this.bytes, this.#from, this.at);
    const der = { tag: this.bytes[this.#from]!, at: this.at + body, body: this.bytes.subarray(body, end), whole: this.bytes.subarray(this.#from, end), oddities: this.oddities };
    this.#from = end;
    return der;
  }

  take(tag: number, what: string): Der {
    if (this.tag !== tag) malformed(this.position, this.done ? `${what} is missing` : `${what} is of another type (tag ${this.tag!.toString(16).padStart(2, '0')})`);
    return this.next(what);
  }

  optional(tag: number, what: string): Der | null {
    return this.tag === tag ? this.next(what) : null;
  }

  end(what: string): void {
    if (!this.done) malformed(this.position, `something follows ${what}`);
  }
}

export const inside = ({ body, at, oddities }: Der): DerReader => new DerReader(body, at, oddities);

/** All elements of a constructed one, at least one unless `empty` is allowed. */
export function items(der: Der, what: string, { empty = false, max = 4096 }: { empty?: boolean; max?: number } = {}): Der[] {
  const reader = inside(der);
  const found: Der[] = [];
  while (!reader.done) {
    if (found.length === max) malformed(reader.position, `more than ${max} of ${what}`);
    found.push(reader.next(what));
  }
  if (found.length === 0 && !empty) malformed(der.at, `${what} is empty`);
  return found;
}

/** Exactly one element of this tag fills the bytes. */
export function only(bytes: Buffer, at: number, tag: number, what: string, oddities: Oddities): Der {
  const reader = new DerReader(bytes, at, oddities);
  const der = reader.take(tag, what);
  reader.end(what);
  return der;
}
