import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agileEvent, binaryList, specId } from '../attest/support/logs.js';
import { PARSERS, type Parser, outcomeOf } from './parsers.js';

const fine = (parser: Parser, bytes: Buffer): void => {
  const outcome = outcomeOf(parser, bytes);
  if (typeof outcome === 'object') throw new Error(`${parser.name} on ${bytes.toString('hex')}`, { cause: outcome.crash });
  if (outcome === 'answered' && parser.again !== undefined) expect(parser.again(bytes).equals(bytes), bytes.toString('hex')).toBe(true);
};

describe.each(PARSERS)('$name', (parser) => {
  it('takes what it is made for', () => {
    for (const seed of parser.seeds) expect([parser.name === 'evidence' ? 'refused' : 'answered']).toContain(outcomeOf(parser, seed));
  });

  it('answers or refuses any bytes, and what it answers is exactly what it was given', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 512 }), (bytes) => fine(parser, Buffer.from(bytes))), { numRuns: 300 });
  });

  it('answers or refuses each truncation', () => {
    for (const seed of parser.seeds) for (let size = 0; size < seed.length; size += Math.ceil(seed.length / 400)) fine(parser, seed.subarray(0, size));
  });

  it('answers or refuses each flipped bit', () => {
    for (const seed of parser.seeds) {
      for (let bit = 0; bit < seed.length * 8; bit += Math.ceil(seed.length / 80)) {
        const bytes = Buffer.from(seed);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        fine(parser, bytes);
      }
    }
  });

  it('answers or refuses sizes of 4 GiB and of -1, wherever they are put', () => {
    for (const seed of parser.seeds) {
      for (let at = 0; at + 4 <= seed.length; at += Math.ceil(seed.length / 200)) {
        for (const bomb of ['ffffffff', 'ffffff7f', '00000080', '7fffffff']) {
          const bytes = Buffer.from(seed);
          bytes.write(bomb, at, 'hex');
          fine(parser, bytes);
        }
      }
    }
  });
});

const named = (name: string): Parser => PARSERS.find((parser) => parser.name === name)!;
const secondsOf = (parser: Parser, bytes: Buffer): number => { const from = performance.now(); outcomeOf(parser, bytes); return (performance.now() - from) / 1000; };

describe('16 MB of', () => {
  const repeated = (piece: Buffer): Buffer => Buffer.alloc(16_000_000, piece);
  it.each<[string, string, () => Buffer]>([
    ['events', 'boot state', () => Buffer.concat([specId(['sha256']), repeated(agileEvent({ pcr: 0, type: 8, data: Buffer.alloc(120, 1) }, ['sha256']))])],
    ['padding', 'boot log', () => Buffer.concat([specId(['sha256']), Buffer.alloc(16_000_000, 0xff)])],
    ['one event', 'boot state', () => Buffer.concat([specId(['sha256']), agileEvent({ pcr: 7, type: 0x80000001, data: Buffer.alloc(16_000_000, 1) }, ['sha256'])])],
    ['IMA entries', 'IMA policy', () => repeated(binaryList([{ path: '/usr/bin/node' }]))],
    ['IMA text without a line', 'IMA list in text', () => repeated(Buffer.from('10 '))],
    ['nested JSON', 'strict JSON', () => repeated(Buffer.from('['))],
    ['hex', 'file of text', () => repeated(Buffer.from('ff '))],
  ])('%s is taken or refused in seconds', (_, name, make) => {
    expect(secondsOf(named(name), make())).toBeLessThan(5);
  });
});
