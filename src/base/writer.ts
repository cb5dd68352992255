/**
 * Canonical JSON straight from a value: what `canonical(encode(shape, value))` gives, without building the wire form and checking it again. Derived once
 * from each shape. Values that are hashed were decoded by their shape or made under its type; what is not of the shape's form all the same is a bug.
 */
import { z } from 'zod';
import { canonical } from './jcs.js';

/** Parts of a value whose canonical text was written before, by the part itself: they are put in as they are. */
export type Texts = ReadonlyMap<object, string>;
type Write = (value: any, texts: Texts | undefined) => string;
/** Wire name, name in the program, schema. */
export type Member = readonly [wire: string, name: string, field: z.ZodType];

const records = new WeakMap<z.ZodType, readonly Member[]>();
const writers = new WeakMap<z.ZodType, Write>();

/** Makes the members of a record's codec known. */
export const declareRecord = (codec: z.ZodType, members: readonly Member[]): void => { records.set(codec, members); };

/**
 * @param texts records inside the value that need not be written again, each with its text under its own shape
 * @throws TypeError for a missing or surplus member and what has no JSON form; ZodError where only zod knows the wire form
 */
export function canonicalOf(shape: z.ZodType, value: unknown, texts?: Texts): string {
  return writerOf(shape)(value, texts);
}

function writerOf(shape: z.ZodType): Write {
  const known = writers.get(shape);
  if (known !== undefined) return known;
  const write = derive(shape);
  writers.set(shape, write);
  return write;
}

/** Known are closed objects and what is its own wire form; everything else, such as a union or a codec of one field, is encoded by zod. */
function derive(shape: z.ZodType): Write {
  const members = records.get(shape);
  if (members !== undefined) return recordWriter(members);
  const { def } = (shape as unknown as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object': return def.catchall?._zod.def.type === 'never' ? recordWriter(Object.entries(def.shape).map(([name, field]) => [name, name, field as z.ZodType])) : encoded(shape);
    case 'string': case 'number': case 'boolean': case 'literal': case 'enum': return canonical;
    case 'array': return listWriter(writerOf(def.element as z.ZodType));
    case 'record': return dictionaryWriter(writerOf(def.valueType as z.ZodType));
    case 'nullable': return nullableWriter(writerOf(def.innerType as z.ZodType));
    case 'optional': return writerOf(def.innerType as z.ZodType);
    default: return encoded(shape);
  }
}

const encoded = (shape: z.ZodType): Write => (value) => canonical(z.encode(shape, value));

const listWriter = (write: Write): Write => (values: readonly unknown[], texts) => `[${values.map((each) => write(each, texts)).join(',')}]`;
const nullableWriter = (write: Write): Write => (value, texts) => (value === null ? 'null' : write(value, texts));

const dictionaryWriter = (write: Write): Write => (value: Readonly<Record<string, unknown>>, texts) =>
  `{${Object.keys(value).sort().map((key) => `${canonical(key)}:${write(value[key], texts)}`).join(',')}}`;

/** Members in the order of RFC 8785, section 3.2.3. */
function recordWriter(members: readonly Member[]): Write {
  const parts = [...members].sort(([a], [b]) => (a < b ? -1 : 1)).map(([wire, name, field]) =>
    ({ name, begin: `${canonical(wire)}:`, write: writerOf(field), optional: field._zod.optout === 'optional' }));
  const names = new Set(parts.map(({ name }) => name));
  return (value: Readonly<Record<string, unknown>>, texts) => {
    const known = texts?.get(value);
    if (known !== undefined) return known;
    let out = '';
    let written = 0;
    for (const { name, begin, write, optional } of parts) {
      const member = value[name];
      if (member !== undefined) {
        out += (written++ === 0 ? '{' : ',') + begin + write(member, texts);
      } else if (!optional) {
        throw new TypeError(`${name} is missing`);
      }
    }
    if (Object.keys(value).length !== written) assertMembers(value, names);
    return written === 0 ? '{}' : `${out}}`;
  };
}

/** A member that is there and undefined is written like one that is not. @throws TypeError */
function assertMembers(value: object, names: ReadonlySet<string>): void {
  for (const name in value) if (!names.has(name)) throw new TypeError(`${name} is no member of this record`);
}
