/** No bit of valid evidence is without meaning: whatever an adversary changes on the way is refused with a code, and nothing crashes. The whole of it: `npm run test:mutation`. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES, isCode } from '../../src/codes.js';
import { Mutants } from './support/mutants.js';

let mutants: Mutants;
beforeAll(async () => { mutants = await Mutants.start(); });
afterAll(() => mutants.device.stop());

describe('a TPM structure of the evidence', () => {
  it('is refused with a bit flipped in any of its bytes', () => {
    for (const { what, bytes, judge } of mutants.parts()) {
      for (let i = 0; i < bytes.length; i++) {
        const flipped = Buffer.from(bytes);
        flipped[i]! ^= 1 << (i % 8);
        expect(isCode(judge(flipped) ?? 'accepted'), `${what}, byte ${i}`).toBe(true);
      }
    }
  });

  it('is refused at every length that it is cut to', () => {
    for (const { what, bytes, judge } of mutants.parts()) {
      for (let length = 0; length < bytes.length; length++) expect(judge(bytes.subarray(0, length)), `${what} ${length}`).not.toBeNull();
    }
  });
});

describe('a character changed in the evidence of a payment', () => {
  it('is refused wherever it stands: no member is without meaning', () => {
    const { wire } = mutants;
    const accepted: string[] = [];
    const alphabet = '0123456789abcdefAZ_-"{}[],:';
    for (let i = 0; i < wire.length; i += 3) {
      const char = alphabet[i % alphabet.length]!;
      if (wire[i] === char) continue;
      const verdict = mutants.judge(wire.slice(0, i) + char + wire.slice(i + 1));
      if (verdict === null) accepted.push(`${i}: ${wire.slice(i - 20, i + 20)}`);
      else expect(Object.keys(CODES)).toContain(verdict);
    }
    expect(accepted).toEqual([]);
    expect(mutants.judge(wire)).toBeNull();
  });

  it('does not crash the appraisal either when many are', () => {
    const { wire } = mutants;
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(wire.length - 1), fc.constantFrom('0', 'a', 'A', '_', '"', '}', '{')), { minLength: 1, maxLength: 5 }), (edits) => {
      const chars = wire.split('');
      for (const [at, char] of edits) chars[at] = char;
      if (chars.join('') !== wire) expect(mutants.judge(chars.join(''))).not.toBeNull();
    }), { numRuns: 150 });
  });
});
