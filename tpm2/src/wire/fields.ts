/** The kinds of field that the tables are made of. */
import type { Codec } from './codec.js';
import { WireError } from './error.js';

export const u8: Codec<number> = { read: (r) => r.u8(), write: (w, v) => w.u8(v) };
export const u16: Codec<number> = { read: (r) => r.u16(), write: (w, v) => w.u16(v) };
export const u32: Codec<number> = { read: (r) => r.u32(), write: (w, v) => w.u32(v) };
export const u64: Codec<bigint> = { read: (r) => r.u64(), write: (w, v) => w.u64(v) };

/** TPMI_YES_NO, Part 2 section 9.2: 0 or 1, nothing else. */
export const yesNo: Codec<boolean> = {
  read(r) {
    const v = r.u8();
    return v > 1 ? r.fail(`0x${v.toString(16)} is neither NO nor YES`, r.pos - 1) : v === 1;
  },
  write: (w, v) => w.u8(v ? 1 : 0),
};

/** A field that has one legal value, such as TPM_GENERATED_VALUE. */
export function constant<const V extends number>(inner: Codec<number>, must: V): Codec<V> {
  return {
    read(r) {
      const from = r.pos;
      const v = inner.read(r, {});
      return v === must ? must : r.fail(`0x${v.toString(16)} where 0x${must.toString(16)} must be`, from);
    },
    write: (w, v) => (v === must ? inner.write(w, must, {}) : w.fail(`0x${Number(v).toString(16)} where 0x${must.toString(16)} must be`)),
  };
}

/** A number with names (TPM_ALG_ID, TPM_ST ...); a value without a name is refused. */
export function named<const M extends Record<string, number>>(inner: Codec<number>, names: M): Codec<keyof M & string> {
  const byValue = new Map(Object.entries(names).map(([name, value]) => [value, name]));
  const byName = new Map(Object.entries(names));
  return {
    read(r) {
      const from = r.pos;
      const v = inner.read(r, {});
      return byValue.get(v) ?? r.fail(`unknown value 0x${v.toString(16)}`, from);
    },
    write: (w, name) => inner.write(w, byName.get(name) ?? w.fail(`unknown name ${String(name)}`), {}),
  };
}

/** TPM2B_* of opaque bytes: UINT16 length, then the bytes. The value is the contents, without the length. */
export function buffer(max: number): Codec<Buffer> {
  return {
    sized: true,
    read(r) {
      const size = r.u16();
      if (size > max) r.fail(`size ${size} over the limit ${max}`, r.pos - 2);
      return r.take(size);
    },
    write(w, v) {
      if (!(v instanceof Uint8Array)) w.fail('is no Uint8Array');
      if (v.byteLength > max) w.fail(`size ${v.byteLength} over the limit ${max}`);
      w.u16(v.byteLength);
      w.put(v);
    },
  };
}

/** TPM2B_* of a structure: a length, then exactly that many bytes of it. */
export function sized<T>(inner: Codec<T>, max = 0xffff): Codec<T> {
  return {
    sized: true,
    read(r) {
      const size = r.u16();
      if (size > max) r.fail(`size ${size} over the limit ${max}`, r.pos - 2);
      if (size > r.left) r.fail(`needs ${size} bytes, ${r.left} left`);
      const outer = r.end;
      r.end = r.pos + size;
      const value = inner.read(r, {});
      if (r.pos !== r.end) r.fail(`${r.end - r.pos} bytes left over`);
      r.end = outer;
      return value;
    },
    write(w, v) {
      const at = w.pos;
      w.u16(0);
      inner.write(w, v, {});
      const size = w.pos - at - 2;
      if (size > max) w.fail(`size ${size} over the limit ${max}`, at);
      w.patchU16(at, size);
    },
  };
}

/** TPM2B_* that may be empty, meaning none. */
export function optional<T>(inner: Codec<T>, max = 0xffff): Codec<T | null> {
  const full = sized(inner, max);
  return {
    sized: true,
    read(r) {
      if (r.left >= 2 && r.bytes.readUInt16BE(r.pos) === 0) { r.skip(2); return null; }
      return full.read(r, {});
    },
    write: (w, v) => (v === null ? w.u16(0) : full.write(w, v, {})),
  };
}

/** TPML_*: a count, then that many elements. */
export function list<T>(inner: Codec<T>, max: number): Codec<T[]> {
  const each = <R>(i: number, step: () => R): R => {
    try {
      return step();
    } catch (e) {
      throw e instanceof WireError ? e.inside(`[${i}]`) : e;
    }
  };
  return {
    read(r) {
      const count = r.u32();
      if (count > max) r.fail(`count ${count} over the limit ${max}`, r.pos - 4);
      const out: T[] = [];
      for (let i = 0; i < count; i++) out.push(each(i, () => inner.read(r, {})));
      return out;
    },
    write(w, all) {
      if (!Array.isArray(all)) w.fail('is no array');
      if (all.length > max) w.fail(`count ${all.length} over the limit ${max}`);
      w.u32(all.length);
      all.forEach((v, i) => each(i, () => inner.write(w, v, {})));
    },
  };
}

/** All bytes up to the end of the enclosing structure. */
export const rest: Codec<Buffer> = { read: (r) => r.take(r.left), write: (w, v) => w.put(v) };
