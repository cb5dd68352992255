import fc from 'fast-check';
import { z } from 'zod';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../../src/base/jcs.js';
import { canonicalOf, count, encode, hashOf, record, sha256Text, u64 } from '../../../src/base/shape.js';
import { sha256 } from '../../../src/base/bytes.js';
import { SAMPLES } from '../objects/all.js';

const shape = record({ zeta: count, alphaBeta: u64.nullable(), list: z.array(record({ innerName: z.string() })), byName: z.record(z.string(), count), either: z.union([z.string(), record({ fieldOne: count })]), maybe: z.string().optional() });
const value = { zeta: 1, alphaBeta: 2n ** 63n, list: [{ innerName: '"\u0007' }], byName: { b: 2, a: 1 }, either: { fieldOne: 3 } };

describe('canonical text straight from a value', () => {
  it.each(SAMPLES)('$name: the same as that of its wire form', ({ shape: its, value: example }) => {
    expect(canonicalOf(its, example)).toBe(canonical(encode(its, example)));
    expect(hashOf(its, example)).toBe(sha256(canonical(encode(its, example))));
  });

  it('renames, orders and encodes at every depth, also where only zod knows the wire form', () => {
    expect(canonicalOf(shape, value)).toBe('{"alpha_beta":"9223372036854775808","by_name":{"a":1,"b":2},"either":{"field_one":3},"list":[{"inner_name":"\\"\\u0007"}],"zeta":1}');
    expect(canonicalOf(shape, { ...value, alphaBeta: null, maybe: undefined })).toBe(canonical(encode(shape, { ...value, alphaBeta: null })));
    expect(canonicalOf(shape, { ...value, maybe: 'here' })).toContain(',"maybe":"here",');
  });

  it('agrees with the wire form for any strings and numbers', () => {
    const values = fc.record({
      zeta: fc.maxSafeNat(), alphaBeta: fc.option(fc.bigInt(0n, 2n ** 64n - 1n)), list: fc.array(fc.record({ innerName: fc.string({ unit: 'grapheme' }) })),
      byName: fc.dictionary(fc.string().filter((key) => key !== '__proto__'), fc.maxSafeNat(), { noNullPrototype: true }), either: fc.string(),
    });
    fc.assert(fc.property(values, (any) => canonicalOf(shape, any) === canonical(encode(shape, any))));
  });

  it('puts in a part that was written before, and writes what it does not know', () => {
    const part = record({ innerName: z.string() });
    const pair = record({ left: part, right: part.nullable() });
    const [left, right] = [{ innerName: 'l' }, { innerName: 'r' }];
    const texts = new Map([[left, canonicalOf(part, left)]]);
    expect(canonicalOf(pair, { left, right }, texts)).toBe(canonicalOf(pair, { left, right }));
    expect(canonicalOf(pair, { left: right, right: null }, texts)).toBe(canonicalOf(pair, { left: right, right: null }));
  });

  it('refuses what is not of the shape: a hash over less or more than the members would be a hash over something else', () => {
    const pair = record({ first: sha256Text, second: count });
    const whole = { first: sha256('a'), second: 2 };
    expect(() => canonicalOf(pair, { ...whole, third: 3 })).toThrow('third is no member');
    expect(() => canonicalOf(pair, { first: whole.first })).toThrow('second is missing');
    expect(() => canonicalOf(pair, { ...whole, second: undefined })).toThrow('second is missing');
    expect(() => canonicalOf(pair, { ...whole, second: 2n })).toThrow(TypeError);
  });
});
