import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newId, ulid } from '../../../src/base/id.js';
import { id } from '../../../src/base/shape.js';

const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
const time = fc.integer({ min: 0, max: 281_474_976_710_655 });

describe('identifiers', () => {
  it('are a prefix and a ULID', () => {
    fc.assert(fc.property(time, random, (now, bytes) => {
      expect(id('pay').safeParse(newId('pay', now, bytes)).success).toBe(true);
    }));
    expect(ulid(1469918176385, new Uint8Array(10))).toBe('01ARYZ6S410000000000000000');
  });

  it('sort as their times do', () => {
    fc.assert(fc.property(time, time, random, random, (a, b, x, y) => {
      fc.pre(a < b);
      expect(ulid(a, x) < ulid(b, y)).toBe(true);
    }));
  });

  it.each(['pay_01ARYZ6S41TSV4RRFFQ69G5FAI', 'pay_01aryz6s41tsv4rrffq69g5fav', 'tok_01ARYZ6S41TSV4RRFFQ69G5FAV', 'pay_01ARYZ6S41', '01ARYZ6S41TSV4RRFFQ69G5FAV'])('%s is no payment id', (text) => {
    expect(id('pay').safeParse(text).success).toBe(false);
  });
});
