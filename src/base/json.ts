/**
 * Strict JSON in, canonical JSON out.
 *
 * The sender of JSON may be hostile and another parser may read the same bytes: a duplicate key, a float or an integer above 2^53-1
 * would mean one thing here and another there. Such text is refused as ambiguous; it is never repaired.
 */
import { type Sha256, sha256 } from './bytes.js';
import { Fault } from './fault.js';
import { canonical } from './jcs.js';

export { canonical };

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What {@link parseJson} takes. `fractions`: numbers like 2.5 too, where other people's JSON holds weights and rates; never a second spelling of an integer. */
export interface JsonLimits { readonly bytes?: number; readonly depth?: number; readonly fractions?: boolean }
/** Limits of {@link parseJson}. Depth 32 is four times the deepest object of the project. */
export const JSON_LIMITS = { bytes: 1_048_576, depth: 32 };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = { array: 0x5b, object: 0x7b };
const CLOSE = { array: 0x5d, object: 0x7d };
const isSpace = (char: number): boolean => char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f\ud800-\udfff]*/y;
/** By their first character. */
const LITERALS = new Map([true, false, null].map((value) => [String(value).charCodeAt(0), { word: String(value), value }]));
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses RFC 8259 text with unique keys and integers within +-(2^53-1) only.
 * @throws Fault intake.too_large, intake.malformed, intake.json_ambiguous (duplicate key), money.not_integer (any other number)
 */
export function parseJson(input: string | Uint8Array, limits: JsonLimits = {}): Json {
  const bytes = limits.bytes ?? JSON_LIMITS.bytes;
  if (input.length > bytes) throw new Fault('intake.too_large', { size: input.length, max: bytes });
  return new Parser(typeof input === 'string' ? input : utf8(input), limits.depth ?? JSON_LIMITS.depth, limits.fractions ?? false).document();
}

function utf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Fault('intake.malformed', { what: 'not UTF-8' });
  }
}

class Parser {
  private at = 0;
  private readonly text: string;
  private readonly maxDepth: number;
  private readonly fractions: boolean;

  constructor(text: string, maxDepth: number, fractions: boolean) {
    this.text = text;
    this.maxDepth = maxDepth;
    this.fractions = fractions;
  }

  document(): Json {
    const value = this.value(0);
    this.next();
    if (this.at < this.text.length) this.fail('text after the value');
    return value;
  }

  private fail(what: string): never {
    throw new Fault('intake.malformed', { what: `${what} at character ${this.at}` });
  }

  /** The next character that is no space, as its code; NaN at the end. */
  private next(): number {
    let char = this.text.charCodeAt(this.at);
    while (isSpace(char)) char = this.text.charCodeAt(++this.at);
    return char;
  }

  private value(depth: number): Json {
    if (depth > this.maxDepth) this.fail('nested too deeply');
    switch (this.next()) {
      case OPEN.object: return this.object(depth);
      case OPEN.array: return this.array(depth);
      case QUOTE: return this.string();
      default: return this.scalar();
    }
  }

  private object(depth: number): Json {
    const out: { [key: string]: Json } = {};
    this.at++;
    for (let isFirst = true; this.next() !== CLOSE.object; isFirst = false) {
      if (!isFirst) this.expect(COMMA);
      if (this.next() !== QUOTE) this.fail('a key was expected');
      const from = this.at;
      const key = this.string();
      if (Object.hasOwn(out, key) || key === '__proto__') throw new Fault('intake.json_ambiguous', { key: key.slice(0, 64), at: from });
      this.expect(COLON);
      out[key] = this.value(depth + 1);
    }
    this.at++;
    return out;
  }

  private array(depth: number): Json {
    const out: Json[] = [];
    this.at++;
    while (this.next() !== CLOSE.array) {
      if (out.length > 0) this.expect(COMMA);
      out.push(this.value(depth + 1));
    }
    this.at++;
    return out;
  }

  private expect(char: number): void {
    if (this.next() !== char) this.fail(`'${String.fromCharCode(char)}' was expected`);
    this.at++;
  }

  private string(): string {
    const from = this.at;
    PLAIN.lastIndex = ++this.at;
    PLAIN.test(this.text);
    this.at = PLAIN.lastIndex;
    if (this.text.charCodeAt(this.at) === QUOTE) return this.text.slice(from + 1, this.at++);
    return this.escaped(from);
  }

  /** A string with escapes or surrogates: find its end, let JSON.parse decode it, refuse what is not well-formed Unicode. */
  private escaped(from: number): string {
    while (this.at < this.text.length && this.text[this.at] !== '"') this.at += this.text[this.at] === '\\' ? 2 : 1;
    const raw = this.text.slice(from, ++this.at);
    try {
      const value = JSON.parse(raw) as string;
      if (/\p{Cs}/u.test(value)) this.fail('lone surrogate in a string');
      return value;
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      return this.fail('bad string');
    }
  }

  private scalar(): Json {
    const literal = LITERALS.get(this.text.charCodeAt(this.at));
    if (literal !== undefined && this.text.startsWith(literal.word, this.at)) {
      this.at += literal.word.length;
      return literal.value;
    }
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text)?.[0];
    if (found === undefined) return this.fail('a value was expected');
    this.at += found.length;
    const value = Number(found);
    const isTaken = Number.isSafeInteger(value) || (this.fractions && !Number.isInteger(value));
    if (!isTaken || String(value) !== found) throw new Fault('money.not_integer', { value: found.slice(0, 40) });
    return value;
  }
}

/** SHA-256 over the canonical form of plain JSON data. */
export const hashJson = (value: unknown): Sha256 => sha256(canonical(value));
