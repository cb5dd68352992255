import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digest, equal, fromB64u, sha256, toB64u } from '../../../src/base/bytes.js';
import { sha256Text } from '../../../src/base/shape.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('base64url', () => {
  it('gives back the bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => {
      expect(fromB64u(toB64u(bytes))).toEqual(Buffer.from(bytes));
    }));
  });

  it('has one spelling: of all texts that Node decodes to the same bytes, one is accepted', () => {
    for (const bytes of [[0], [255], [1, 2], [255, 255]]) {
      const text = toB64u(Uint8Array.from(bytes));
      const twins = ALPHABET.split('').map((last) => text.slice(0, -1) + last).filter((twin) => Buffer.from(twin, 'base64url').equals(Buffer.from(bytes)));
      expect(twins.length).toBeGreaterThan(1);
      expect(twins.filter((twin) => fromB64u(twin) !== null)).toEqual([text]);
    }
  });

  it.each([['padding', 'AA=='], ['standard alphabet', '+/+/'], ['a line break', 'AAAA\n'], ['a space', 'AA AA'], ['one character too many', 'AAAAA'], ['a dot', 'AA.A'], ['a null byte', 'AAA\0']])('refuses %s', (_, text) => {
    expect(fromB64u(text)).toBeNull();
  });

  it('of a SHA-256 is known by its last character', () => {
    const text = sha256('x');
    expect(sha256Text.safeParse(text).success).toBe(true);
    const twins = ALPHABET.split('').map((last) => text.slice(0, -1) + last);
    for (const twin of twins) expect(sha256Text.safeParse(twin).success).toBe(fromB64u(twin) !== null);
    expect(twins.filter((twin) => fromB64u(twin) !== null)).toHaveLength(16);
  });
});

describe('digests', () => {
  it('are those of node:crypto, for text and bytes', () => {
    expect(sha256('ü')).toBe(createHash('sha256').update('ü', 'utf8').digest('base64url'));
    expect(sha256(Uint8Array.of(1, 2))).toBe(createHash('sha256').update(Uint8Array.of(1, 2)).digest('base64url'));
    expect(toB64u(digest('a', Uint8Array.of(98)))).toBe(sha256('ab'));
  });

  it('compare equal only when equal in length and content', () => {
    expect(equal(Uint8Array.of(1), Uint8Array.of(1))).toBe(true);
    expect(equal(Uint8Array.of(1), Uint8Array.of(2))).toBe(false);
    expect(equal(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
  });
});
