/** Distinguished names (RFC 5280 section 4.1.2.4): how they compare, and how a person reads them. */
import { type Der, TAG, inside, items, malformed } from './der.js';
import { oid } from './primitives.js';

export interface Attribute { readonly type: string; readonly value: string }
export interface Name {
  readonly der: Buffer;
  /** Relative names in the order of the encoding. */
  readonly parts: readonly (readonly Attribute[])[];
  /** Equal for equal names, however they are encoded (RFC 5280 section 7.1). */
  readonly keys: readonly string[];
}

const MAX_PARTS = 64;
const LABELS: Record<string, string> = {
  '2.5.4.3': 'CN', '2.5.4.4': 'SN', '2.5.4.5': 'serialNumber', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'ST', '2.5.4.9': 'street', '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.12': 'title',
  '0.9.2342.19200300.100.1.25': 'DC', '0.9.2342.19200300.100.1.1': 'UID', '1.2.840.113549.1.9.1': 'emailAddress',
};
/** UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString; BMPString is two bytes each, UniversalString four. */
const ENCODINGS: Record<number, BufferEncoding> = { 0x0c: 'utf8', 0x12: 'latin1', 0x13: 'latin1', 0x14: 'latin1', 0x16: 'latin1', 0x1a: 'latin1' };

/** A directory string; what is of no text type is shown in hex. */
export function textOf({ tag, body }: Der): string {
  const encoding = ENCODINGS[tag];
  if (encoding !== undefined) return body.toString(encoding);
  if (tag === 0x1e && body.length % 2 === 0) return Buffer.from(body).swap16().toString('utf16le');
  return `#${body.toString('hex')}`;
}

function attribute(der: Der): Attribute {
  const reader = inside(der);
  const type = oid(reader.take(TAG.oid, 'the type of a name'));
  const value = textOf(reader.next('the value of a name'));
  reader.end('an attribute of a name');
  return { type, value };
}

const isSorted = (members: readonly Der[]): boolean => members.every(({ whole }, i) => i === 0 || Buffer.compare(members[i - 1]!.whole, whole) <= 0);

/** Attributes of a relative name. A SET in another order than DER wants compares as the same set. */
function relative(der: Der): Attribute[] {
  if (der.tag !== TAG.set) malformed(der.at, 'a relative name that is no SET');
  const members = items(der, 'attributes of a name', { max: MAX_PARTS });
  if (!isSorted(members)) der.oddities.add('set-unsorted');
  return members.map((member) => (member.tag === TAG.sequence ? attribute(member) : malformed(member.at, 'an attribute that is no SEQUENCE')));
}

/** Case and spaces do not distinguish names; another string type neither. */
const folded = ({ type, value }: Attribute): string => JSON.stringify([type, value.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')]);

/** @param max relative names: those of an adversary are many */
export function readName(der: Der): Name {
  if (der.tag !== TAG.sequence) malformed(der.at, 'a name that is no SEQUENCE');
  const parts = items(der, 'relative names', { empty: true, max: 4096 }).map(relative);
  return { der: der.whole, parts, keys: parts.map((part) => part.map(folded).sort().join('+')) };
}

export const sameName = (a: Name, b: Name): boolean => a.der.equals(b.der) || keyOf(a) === keyOf(b);
export const keyOf = ({ keys }: Name): string => keys.join(',');
export const isEmpty = ({ parts }: Name): boolean => parts.length === 0;
/** Whether `name` stands below `base` in the tree of names. */
export const isWithin = (name: Name, base: Name): boolean => base.keys.every((key, i) => name.keys[i] === key);
export const valuesOf = ({ parts }: Name, type: string): string[] => parts.flat().filter((each) => each.type === type).map(({ value }) => value);

const escaped = (value: string): string => value.replace(/\p{Cc}/gu, '?').replace(/[,+"\\<>;=]/g, '\\$&');
/** RFC 4514, the most particular part first, without control characters, of bounded length: whoever made the certificate wrote this. */
export const nameText = ({ parts }: Name): string =>
  parts.slice(0, MAX_PARTS).reverse().map((part) => part.map(({ type, value }) => `${LABELS[type] ?? type}=${escaped(value)}`).join('+')).join(',').slice(0, 1024);
