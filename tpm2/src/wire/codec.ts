/**
 * Wire structures are declared once, as tables of fields; reader, writer and TypeScript type follow from the declaration.
 * Decoding is total: for any bytes it throws a WireError or gives a value that encodes to exactly the same bytes.
 */
import { WireError } from './error.js';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

/** The fields of the structure that is being read or written: what a union's tag or a digest's size is looked up in. */
export type Fields = Record<string, unknown>;

export interface Codec<T> {
  read(r: Reader, at: Fields): T;
  write(w: Writer, value: T, at: Fields): void;
  /** True for a TPM2B: the only kind of parameter that a session can encrypt. */
  readonly sized?: boolean;
  /** The names of a structure's fields, in order. */
  readonly fields?: readonly string[];
}

/** The type that a codec decodes to. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** What may be encoded: as decoded, but any Uint8Array where decoding gives a Buffer. */
export type Input<T> = T extends Uint8Array ? Uint8Array : T extends object ? { [K in keyof T]: Input<T[K]> } : T;

/**
 * Decodes exactly one structure. Buffers in the result are views of `bytes`.
 * @throws WireError on surplus, missing, unknown or reserved content, with the field's path and offset.
 */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    const r = new Reader(bytes);
    const value = codec.read(r, {});
    if (r.pos !== r.end) r.fail(`${r.end - r.pos} bytes left over`);
    return value;
  } catch (e) {
    throw e instanceof WireError ? e.sealed() : e;
  }
}

/** @throws WireError when the value cannot be carried (a list too long, a number out of range, an unknown name). */
export function encode<T>(codec: Codec<T>, value: Input<T>): Buffer {
  try {
    const w = new Writer();
    codec.write(w, value as T, {});
    return w.written;
  } catch (e) {
    throw e instanceof WireError ? e.sealed() : e;
  }
}

/** An arm of a union (TPMU_*), picked by an earlier field of the same structure. */
export interface Select<Tag extends string, Arms extends Record<string, Codec<any>>> {
  readonly tag: Tag;
  readonly arms: Arms;
}

export function select<const Tag extends string, const Arms extends Record<string, Codec<any>>>(tag: Tag, arms: Arms): Select<Tag, Arms> {
  return { tag, arms };
}

export type Table = Record<string, Codec<any> | Select<any, any>>;
type Own<F> = { [K in keyof F as F[K] extends Select<any, any> ? never : K]: Infer<F[K]> };
type Tags<F> = { [K in keyof F]: F[K] extends Select<infer T extends string, any> ? T : never }[keyof F];
type Common<F, T extends string> = { [K in keyof F]: F[K] extends Select<T, infer A> ? keyof A : never }[keyof F];
export type Shape<T> = { [K in keyof T]: T[K] } & {};
type Arm<F, V> = {
  [K in keyof F as F[K] extends Select<any, any> ? K : never]: F[K] extends Select<any, infer A> ? (V extends keyof A ? Infer<A[V]> : never) : never;
};
/** The type of a structure: a plain object, or a union discriminated by the tag where the table selects by one. */
export type Struct<F> = [Tags<F>] extends [never]
  ? Shape<Own<F>>
  : { [V in Common<F, Tags<F>>]: Shape<Omit<Own<F>, Tags<F>> & { [K in Tags<F>]: V } & Arm<F, V>> }[Common<F, Tags<F>>];

/** TPMS_*, TPMT_*: fields in order. */
export function struct<const F extends Table>(fields: F): Codec<Struct<F>> {
  const names = Object.keys(fields);
  const codecs = Object.values(fields);
  const count = names.length;
  const arm = (field: Codec<any> | Select<any, any>, value: Fields): Codec<any> | undefined =>
    'arms' in field ? (field.arms as Record<string, Codec<any>>)[String(value[field.tag as string])] : field;
  return {
    fields: names,
    read(r) {
      const out: Fields = {};
      let i = 0;
      try {
        for (; i < count; i++) out[names[i]!] = (arm(codecs[i]!, out) ?? r.fail('no arm for this tag')).read(r, out);
      } catch (e) {
        throw e instanceof WireError ? e.inside(names[i]!) : e;
      }
      return out as Struct<F>;
    },
    write(w, value) {
      const from = value as Fields;
      let i = 0;
      try {
        if (typeof from !== 'object' || from === null) w.fail('is no object');
        for (; i < count; i++) (arm(codecs[i]!, from) ?? w.fail('no arm for this tag')).write(w, from[names[i]!], from);
      } catch (e) {
        throw e instanceof WireError ? e.inside(names[i]!) : e;
      }
    },
  };
}

type ArmTable = Record<string, readonly [number, Table]>;
export type Variant<Tag extends string, A extends ArmTable> = { [K in keyof A]: Shape<{ [T in Tag]: K } & Struct<A[K] extends readonly [number, infer F] ? F : never>> }[keyof A];

/** TPMT_* whose union follows its tag at once: `{ scheme: 'ecdsa', hashAlg: 'sha256' }`. A row is name: [tag value, fields]. */
export function variant<const Tag extends string, const A extends ArmTable>(tag: Tag, inner: Codec<number>, arms: A): Codec<Variant<Tag, A>> {
  const rows = Object.entries(arms).map(([name, [value, fields]]) => ({ name, value, body: struct(fields) as Codec<Fields> }));
  const byValue = new Map(rows.map((row) => [row.value, row]));
  const byName = new Map(rows.map((row) => [row.name, row]));
  return {
    read(r) {
      const from = r.pos;
      const value = inner.read(r, {});
      const row = byValue.get(value) ?? r.fail(`unknown ${tag} 0x${value.toString(16)}`, from);
      return { [tag]: row.name, ...row.body.read(r, {}) } as Variant<Tag, A>;
    },
    write(w, value) {
      const name = (value as Fields | undefined)?.[tag];
      const row = byName.get(String(name)) ?? w.fail(`unknown ${tag} ${String(name)}`);
      inner.write(w, row.value, {});
      row.body.write(w, value as Fields, {});
    },
  };
}
