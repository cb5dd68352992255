import { WireError } from './error.js';

/** Reads big-endian fields from bytes that an adversary may have written: every read is bounds-checked, nothing is coerced. */
export class Reader {
  readonly bytes: Buffer;
  pos = 0;
  /** No read passes this offset. Lowered while the contents of a sized structure are read. */
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
  }

  get left(): number {
    return this.end - this.pos;
  }

  fail(fault: string, at = this.pos): never {
    throw new WireError(fault, at);
  }

  /** Advances over `size` bytes and answers the offset where they start. */
  skip(size: number): number {
    const from = this.pos;
    if (size > this.end - from) this.fail(`needs ${size} bytes, ${this.end - from} left`);
    this.pos = from + size;
    return from;
  }

  u8(): number {
    return this.bytes.readUInt8(this.skip(1));
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.skip(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.skip(4));
  }

  u64(): bigint {
    return this.bytes.readBigUInt64BE(this.skip(8));
  }

  /** A view of the next `size` bytes: it shares memory with the input. */
  take(size: number): Buffer {
    const from = this.skip(size);
    return this.bytes.subarray(from, from + size);
  }
}
