/** The primitive types of DER. */
import { type Der, malformed, TAG } from './der.js';

/** Some makers write TRUE as 01: it cannot be taken for FALSE, so it is read and named. */
export function boolean({ body, at, oddities }: Der): boolean {
  if (body.length !== 1) malformed(at, 'a BOOLEAN of another length than one byte');
  if (body[0] !== 0x00 && body[0] !== 0xff) oddities.add('boolean-not-ff');
  return body[0] !== 0x00;
}

/** Two's complement. @returns the value's bytes, without those that DER would not write */
export function integer({ body, at, oddities }: Der): Buffer {
  if (body.length === 0) malformed(at, 'an INTEGER without a value');
  let from = 0;
  while (from + 1 < body.length && ((body[from] === 0x00 && body[from + 1]! < 0x80) || (body[from] === 0xff && body[from + 1]! >= 0x80))) from++;
  if (from > 0) oddities.add('integer-not-minimal');
  return body.subarray(from);
}

/** An INTEGER from 0 to 2^31 - 1. */
export function small(der: Der, what: string): number {
  const bytes = integer(der);
  if (bytes.length > 4 || bytes[0]! >= 0x80) malformed(der.at, `${what} is out of range`);
  return bytes.readUIntBE(0, bytes.length);
}

/** An OBJECT IDENTIFIER in dotted decimal. Arcs up to 2^53. */
export function oid({ body, at }: Der): string {
  if (body.length === 0 || body.length > 64 || body.at(-1)! >= 0x80) malformed(at, 'an OBJECT IDENTIFIER that is none');
  const arcs: number[] = [];
  let arc = 0;
  for (const [i, byte] of body.entries()) {
    if (byte === 0x80 && arc === 0 && (i === 0 || body[i - 1]! < 0x80)) malformed(at, 'an OBJECT IDENTIFIER that is not minimal');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) malformed(at, 'an OBJECT IDENTIFIER with a giant arc');
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - 40 * root, ...rest].join('.');
}

/** A BIT STRING of whole bytes: keys and signatures. */
export function octetsOfBits({ body, at }: Der): Buffer {
  if (body[0] !== 0) malformed(at, 'a BIT STRING that is not of whole bytes');
  return body.subarray(1);
}

/** A BIT STRING of named bits, bit 0 first. Trailing zero bits are no DER, but change nothing. */
export function namedBits({ body, at, oddities }: Der): number {
  const unused = body[0] ?? 8;
  if (unused > 7 || (body.length === 1 && unused > 0) || body.length > 5) malformed(at, 'a BIT STRING that is none');
  const last = body.at(-1)!;
  if (body.length > 1 && (last & ((1 << unused) - 1)) !== 0) malformed(at, 'a BIT STRING with bits after its end');
  if (body.length > 1 && (last >> unused & 1) === 0) oddities.add('bits-not-minimal');
  let bits = 0;
  for (let i = 0; i < (body.length - 1) * 8; i++) if ((body[1 + (i >> 3)]! & (0x80 >> (i & 7))) !== 0) bits |= 1 << i;
  return bits;
}

const UTC = /^([0-9]{2})([0-9]{10})Z$/;
const GENERALIZED = /^([0-9]{4})([0-9]{10})Z$/;

/** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them, in seconds since 1970. `99991231235959Z` says "without end". */
export function time({ tag, body, at, oddities }: Der): number {
  const text = body.toString('latin1');
  const [, year, rest] = (tag === TAG.utcTime ? UTC : tag === TAG.generalizedTime ? GENERALIZED : /^\b$/).exec(text) ?? malformed(at, 'a time that is not of the form of RFC 5280');
  const full = tag === TAG.utcTime ? Number(year) + (Number(year) < 50 ? 2000 : 1900) : Number(year);
  const [month, day, hour, minute, second] = rest!.match(/../g)!.map(Number) as [number, number, number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(full, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) malformed(at, 'a time that does not exist');
  if (tag === TAG.generalizedTime && full < 2050) oddities.add('time-encoding');
  return date.getTime() / 1000;
}
