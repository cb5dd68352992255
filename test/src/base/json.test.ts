import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JSON_LIMITS, type Json, canonical, hashJson, parseJson } from '../../../src/base/json.js';
import { sha256 } from '../../../src/base/bytes.js';
import { codeOf } from '../../support/fault.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('strict JSON', () => {
  const REFUSED: [string, string | Uint8Array, string][] = [
    ['a key that stands twice', '{"amount":1,"amount":2}', 'intake.json_ambiguous'],
    ['a key that stands twice, once escaped', '{"amount":1,"\\u0061mount":2}', 'intake.json_ambiguous'],
    ['a key that stands twice in a nested object', '[{"a":{"b":1,"b":1}}]', 'intake.json_ambiguous'],
    ['the key __proto__', '{"__proto__":{"admin":true}}', 'intake.json_ambiguous'],
    ['the key __proto__, escaped', '{"\\u005f_proto__":1}', 'intake.json_ambiguous'],
    ['a fraction', '1.5', 'money.not_integer'],
    ['a fraction that is whole', '1.0', 'money.not_integer'],
    ['an exponent', '1e2', 'money.not_integer'],
    ['minus zero', '-0', 'money.not_integer'],
    ['an integer above 2^53-1', '9007199254740993', 'money.not_integer'],
    ['2^53', '9007199254740992', 'money.not_integer'],
    ['an integer below -(2^53-1)', '-9007199254740992', 'money.not_integer'],
    ['a number too large for a double', '1e999', 'money.not_integer'],
    ['a byte order mark', '\ufeff{}', 'intake.malformed'],
    ['a byte order mark in bytes', Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), 'intake.malformed'],
    ['bytes that are no UTF-8', Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 'intake.malformed'],
    ['an overlong UTF-8 form', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 'intake.malformed'],
    ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'intake.malformed'],
    ['a lone surrogate', '"\ud800"', 'intake.malformed'],
    ['a lone surrogate, escaped', '"\\ud800"', 'intake.malformed'],
    ['a lone low surrogate, escaped', '"\\udc00x"', 'intake.malformed'],
    ['a key with a lone surrogate', '{"\\ud800":1}', 'intake.malformed'],
    ['a control character', '"a\u0001b"', 'intake.malformed'],
    ['a line break in a string', '"a\nb"', 'intake.malformed'],
    ['an unknown escape', '"\\x41"', 'intake.malformed'],
    ['an unfinished string', '"abc', 'intake.malformed'],
    ['an unfinished escape', '"abc\\', 'intake.malformed'],
    ['an unfinished object', '{"a":1', 'intake.malformed'],
    ['a comma at the end of an object', '{"a":1,}', 'intake.malformed'],
    ['a comma at the end of a list', '[1,]', 'intake.malformed'],
    ['a comma alone', '[,]', 'intake.malformed'],
    ['a missing comma', '[1 2]', 'intake.malformed'],
    ['a key without quotes', '{a:1}', 'intake.malformed'],
    ['a number as a key', '{1:1}', 'intake.malformed'],
    ['a comment', '{} // x', 'intake.malformed'],
    ['two documents', '{} {}', 'intake.malformed'],
    ['nothing', '', 'intake.malformed'],
    ['white space alone', ' \n', 'intake.malformed'],
    ['a space that is none in JSON', '\u00a01', 'intake.malformed'],
    ['NaN', 'NaN', 'intake.malformed'],
    ['a plus', '+1', 'intake.malformed'],
    ['a leading zero', '01', 'intake.malformed'],
    ['a word that begins like a literal', 'trueish', 'intake.malformed'],
  ];
  it.each(REFUSED)('refuses %s', (_, text, code) => expect(codeOf(() => parseJson(text))).toBe(code));

  it('refuses what is too long, by bytes', () => {
    expect(codeOf(() => parseJson(new Uint8Array(JSON_LIMITS.bytes + 1)))).toBe('intake.too_large');
    expect(codeOf(() => parseJson('[1]', { bytes: 2 }))).toBe('intake.too_large');
    expect(parseJson('[1]', { bytes: 3 })).toEqual([1]);
  });

  it('refuses what is nested too deeply, however long', () => {
    expect(codeOf(() => parseJson('['.repeat(500_000)))).toBe('intake.malformed');
    expect(codeOf(() => parseJson('{"a":'.repeat(100)))).toBe('intake.malformed');
    const fits = `${'['.repeat(JSON_LIMITS.depth)}1${']'.repeat(JSON_LIMITS.depth)}`;
    expect(parseJson(fits)).toEqual(JSON.parse(fits));
    expect(codeOf(() => parseJson(`[${fits}]`))).toBe('intake.malformed');
  });

  it('takes the limits of what is safe', () => {
    expect(parseJson('[9007199254740991,-9007199254740991,0]')).toEqual([Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0]);
    expect(parseJson('"\\ud83d\\ude00 \u{1f600}"')).toBe('\u{1f600} \u{1f600}');
    expect(parseJson('{"constructor":1,"toString":2,"":3}')).toEqual({ constructor: 1, toString: 2, '': 3 });
  });

  /** Text that is nearly JSON: built of its pieces, in any order. */
  const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '"b"', '"\\u0061"', '1', '-1', '0', '1.0', '1e2', 'true', 'null', ' ', '"', '\\', '-', '"\\ud83d\\ude00"'), { maxLength: 12 }).map((parts) => parts.join(''));
  const agrees = (text: string): void => {
    let mine: Json;
    try {
      mine = parseJson(text);
    } catch {
      return;
    }
    expect(mine).toEqual(JSON.parse(text));
  };

  it('never accepts what JSON.parse refuses, and gives the same value', () => {
    fc.assert(fc.property(pieces, agrees), { numRuns: 1500 });
    fc.assert(fc.property(fc.json(), agrees), { numRuns: 300 });
    fc.assert(fc.property(fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)), agrees), { numRuns: 200 });
  });

  const plain = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.maxSafeInteger().map((n) => n + 0), fc.boolean(), fc.constant(null), fc.string({ unit: 'grapheme' }),
      fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(fc.string().filter((key) => key !== '__proto__'), tie('value'), { maxKeys: 4, noNullPrototype: true })),
  })).value;

  it('takes fractions where it is told to, and no second spelling of a number', () => {
    expect(parseJson('[2.5,-0.0875,7]', { fractions: true })).toEqual([2.5, -0.0875, 7]);
    for (const text of ['1.0', '1e2', '2.50', '25e-1', '9007199254740993', '1e999', '-0']) expect(codeOf(() => parseJson(text, { fractions: true }))).toBe('money.not_integer');
  });

  it('accepts all plain data without fractions, as text and as bytes', () => {
    fc.assert(fc.property(plain, (value) => {
      for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2), canonical(value)]) {
        expect(parseJson(text)).toEqual(value);
        expect(parseJson(utf8(text))).toEqual(value);
      }
    }), { numRuns: 200 });
  });

  it('has one canonical form for one value, whatever the order of its members', () => {
    fc.assert(fc.property(fc.dictionary(fc.string().filter((key) => key !== '__proto__'), plain, { noNullPrototype: true }), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      expect(canonical(reversed)).toBe(canonical(value));
      expect(hashJson(value)).toBe(sha256(canonical(value)));
      expect(canonical(parseJson(canonical(value)))).toBe(canonical(value));
    }), { numRuns: 150 });
  });

  it('sorts members by UTF-16 code units and writes control characters as RFC 8785 says', () => {
    expect(canonical({ '\u{1f600}': 1, '\ufb33': 2, 'é': 3, a: 4, '10': 5, '9': 6 })).toBe('{"10":5,"9":6,"a":4,"é":3,"\u{1f600}":1,"\ufb33":2}');
    expect(canonical('\u0000\b\t\n\f\r"\\\u001f\u007f/')).toBe('"\\u0000\\b\\t\\n\\f\\r\\"\\\\\\u001f\u007f/"');
  });

  it('has no canonical form for what is no plain JSON', () => {
    for (const value of [undefined, NaN, -Infinity, '\ud800', { a: '\udc00' }, { '\ud800': 1 }, 1n, { a: 1n }, [undefined], () => 1, Symbol('x'), new Map(), new Date(0), Buffer.from('x')]) {
      expect(() => canonical(value)).toThrow(TypeError);
    }
  });

  it('has the canonical form that the package `canonicalize` writes, fractions and exponents too', () => {
    const anything = fc.jsonValue({ stringUnit: 'grapheme' });
    fc.assert(fc.property(fc.oneof(plain, anything), (value) => {
      expect(canonical(value)).toBe(canonicalize(value));
    }), { numRuns: 300 });
    for (const value of [0, -0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 333333333.3333333, { a: undefined, b: 1 }, Object.create(null)]) expect(canonical(value)).toBe(canonicalize(value));
  });
});
