/**
 * Reads little-endian fields from a log that an adversary may have written, before anything about it is proven. Each read is bounds-checked, nothing is
 * copied, and no length that the log says is ever allocated: what is read are views of the input.
 */
import { fault } from '../src/base/fault.js';

/** The codes of logs that cannot be read. Both sentences hold {what}. */
export type LogFault = 'boot.malformed' | 'ima.malformed';

export class Cursor {
  readonly bytes: Buffer;
  readonly #code: LogFault;
  readonly #offset: number;
  pos = 0;

  /** @param offset where `bytes` stand in the whole file, for the words of a refusal */
  constructor(bytes: Uint8Array, code: LogFault, offset = 0) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
    this.#offset = offset;
  }

  get left(): number {
    return this.bytes.length - this.pos;
  }

  /** @throws Fault with the code of this log, and where it went wrong */
  fail(what: string, at = this.pos): never {
    throw fault(this.#code, { what: `byte ${this.#offset + at}: ${what}` });
  }

  #skip(size: number, field: string): number {
    const from = this.pos;
    if (size > this.left) this.fail(`${field} needs ${size} bytes, ${this.left} are left`);
    this.pos = from + size;
    return from;
  }

  u8(field: string): number {
    return this.bytes.readUInt8(this.#skip(1, field));
  }

  u16(field: string): number {
    return this.bytes.readUInt16LE(this.#skip(2, field));
  }

  u32(field: string): number {
    return this.bytes.readUInt32LE(this.#skip(4, field));
  }

  /** A 64-bit length: it must fit what is left, so it is a number. */
  length64(field: string, unit = 1): number {
    const value = this.bytes.readBigUInt64LE(this.#skip(8, field));
    if (value * BigInt(unit) > BigInt(this.left)) this.fail(`${field} is ${value}, ${this.left} bytes are left`, this.pos - 8);
    return Number(value);
  }

  /** A view of the next `size` bytes. */
  take(size: number, field: string): Buffer {
    const from = this.#skip(size, field);
    return this.bytes.subarray(from, from + size);
  }

  /** A length of 32 bits, then that many bytes. */
  sized(field: string, max = Number.MAX_SAFE_INTEGER): Buffer {
    const size = this.u32(`the length of ${field}`);
    if (size > max) this.fail(`${field} has ${size} bytes, at most ${max} are taken`, this.pos - 4);
    return this.take(size, field);
  }
}
