import { WireError } from './error.js';

/** Writes big-endian fields into a growing buffer. Values out of range are refused, never truncated. */
export class Writer {
  #bytes: Buffer;
  pos = 0;

  constructor(capacity = 512) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  fail(fault: string, at = this.pos): never {
    throw new WireError(fault, at);
  }

  /** What was written so far, without a copy: valid until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.pos);
  }

  #grow(size: number): number {
    const from = this.pos;
    const need = from + size;
    if (need > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(need, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, from);
      this.#bytes = larger;
    }
    this.pos = need;
    return from;
  }

  u8(value: number): void {
    if ((value & 0xff) !== value) this.fail(`${String(value)} is no UINT8`);
    const at = this.#grow(1);
    this.#bytes.writeUInt8(value, at);
  }

  u16(value: number): void {
    if ((value & 0xffff) !== value) this.fail(`${String(value)} is no UINT16`);
    const at = this.#grow(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  u32(value: number): void {
    if (value >>> 0 !== value) this.fail(`${String(value)} is no UINT32`);
    const at = this.#grow(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  u64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) this.fail(`${String(value)} is no UINT64`);
    const at = this.#grow(8);
    this.#bytes.writeBigUInt64BE(value, at);
  }

  put(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) this.fail('is no Uint8Array');
    const at = this.#grow(bytes.byteLength);
    this.#bytes.set(bytes, at);
  }

  /** Overwrites a length field that was written as a placeholder. */
  patchU16(at: number, value: number): void {
    this.#bytes.writeUInt16BE(value, at);
  }

  patchU32(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value, at);
  }
}
