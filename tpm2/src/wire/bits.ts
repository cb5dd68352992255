import type { Codec } from './codec.js';

/** A run of bits with named values, such as TPM_NT in TPMA_NV. */
export interface BitField {
  readonly shift: number;
  readonly width: number;
  readonly names: Record<string, number>;
}

type Value<B> = B extends { names: infer N } ? keyof N & string : boolean;
export type Bits<B> = { -readonly [K in keyof B]: Value<B[K]> };

/** TPMA_*: a row is name: bit number, or name: a run of bits. A set bit without a name is refused when reading. */
export function bits<const B extends Record<string, number | BitField>>(inner: Codec<number>, table: B): Codec<Bits<B>> & { toNumber(v: Bits<B>): number } {
  const rows = Object.entries(table).map(([name, row]) => {
    const field = typeof row === 'number' ? { shift: row, width: 1, names: undefined } : row;
    const mask = (2 ** field.width - 1) * 2 ** field.shift;
    return { name, shift: field.shift, mask: mask >>> 0, names: field.names };
  });
  const known = rows.reduce((all, row) => all | row.mask, 0) >>> 0;
  const toNumber = (value: Bits<B>): number => {
    let out = 0;
    for (const { name, shift, mask, names } of rows) {
      const v = (value as Record<string, unknown>)[name];
      if (names === undefined) out |= v === true ? mask : 0;
      else if (Object.hasOwn(names, String(v))) out |= (names[String(v)]! << shift) & mask;
      else return NaN;
    }
    return out >>> 0;
  };
  return {
    toNumber,
    read(r) {
      const from = r.pos;
      const v = inner.read(r, {});
      if ((v & ~known) !== 0) r.fail(`reserved bits 0x${((v & ~known) >>> 0).toString(16)} are set`, from);
      const out: Record<string, unknown> = {};
      for (const { name, shift, mask, names } of rows) {
        if (names === undefined) { out[name] = (v & mask) !== 0; continue; }
        const part = (v & mask) >>> shift;
        out[name] = Object.keys(names).find((key) => names[key] === part) ?? r.fail(`unknown ${name} 0x${part.toString(16)}`, from);
      }
      return out as Bits<B>;
    },
    write(w, value) {
      const v = toNumber(value);
      inner.write(w, Number.isNaN(v) ? w.fail('has an unknown name') : v, {});
    },
  };
}
