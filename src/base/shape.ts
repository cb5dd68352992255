/**
 * Shapes: each object is declared once, in camelCase; the codec derives the snake_case wire form, the checks and the TypeScript type.
 * Decoding is strict: unknown members, wrong lengths, non-canonical base64url and out-of-set words are refused with their path.
 */
import { z } from 'zod';
import { isB64u, type Sha256, sha256 } from './bytes.js';
import { type Json, parseJson } from './json.js';
import { Fault } from './fault.js';
import { canonicalOf, declareRecord, type Texts } from './writer.js';

export { canonicalOf, type Texts };

type Fields = Record<string, z.ZodType>;
type Flat<T> = { [K in keyof T]: T[K] } & {};
/** A codec between a wire object and its TypeScript value. */
export type Shape<T> = z.ZodType<T, any>;
/** The TypeScript type of a shape. */
export type Of<S extends z.ZodType> = z.output<S>;

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

function rename(value: Record<string, unknown>, names: Map<string, string>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key in value) out[names.get(key) ?? key] = value[key];
  return out;
}

/** A closed object. Member names are camelCase here and snake_case on the wire; where all are one word, the object is its own wire form. */
export function record<S extends Fields>(fields: S): Shape<Flat<z.output<z.ZodObject<S>>>> {
  const toWire = new Map(Object.keys(fields).map((name) => [name, snake(name)]));
  const fromWire = new Map([...toWire].map(([camel, wire]) => [wire, camel]));
  const wire = z.strictObject(Object.fromEntries(Object.entries(fields).map(([name, field]) => [snake(name), field])));
  if ([...toWire].every(([camel, name]) => camel === name)) return wire as never;
  const codec = z.codec(wire, z.unknown(), {
    decode: (value) => rename(value, fromWire),
    encode: (value) => rename(value as Record<string, unknown>, toWire) as never,
  });
  declareRecord(codec, Object.entries(fields).map(([name, field]) => [snake(name), name, field]));
  return codec as never;
}

/** The wire form of a value: plain JSON data. A value that its own shape refuses is a bug, not a fault. */
export const encode = <T>(shape: Shape<T>, value: T): Json => z.encode(shape, value) as Json;

/**
 * The value behind plain JSON data.
 * @throws Fault intake.malformed naming the first wrong member and how many there are
 */
export function decode<T>(shape: Shape<T>, wire: unknown, what = 'message'): T {
  const result = shape.safeParse(wire);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const more = result.error.issues.length - 1;
  throw new Fault('intake.malformed', { what: `${what}: ${[...(first?.path ?? [])].join('.') || 'value'}: ${first?.message ?? 'refused'}${more > 0 ? ` (and ${more} more)` : ''}` });
}

/** Strict JSON text to value. */
export const parse = <T>(shape: Shape<T>, text: string | Uint8Array, what?: string, limits: { bytes?: number } = {}): T => decode(shape, parseJson(text, limits), what);
/** Value to canonical JSON text. What is signed goes through {@link encode}, which checks it once more. */
export const stringify = <T>(shape: Shape<T>, value: T): string => canonicalOf(shape, value);
/** SHA-256 over the canonical wire form: `X_sha256` of data. */
export const hashOf = <T>(shape: Shape<T>, value: T): Sha256 => sha256(canonicalOf(shape, value));

/* The words that shapes are made of. */

const canonicalB64u = (max: number) => (text: string) => text.length <= Math.ceil((max * 4) / 3) && isB64u(text);
/** base64url text of at most `max` bytes, canonical. Stays text: most of it is only compared or hashed. */
export const b64u = (max: number): z.ZodType<string, string> => z.string().refine(canonicalB64u(max), `must be canonical base64url of at most ${max} bytes`);
/** base64url of exactly 32 bytes. The last of 43 characters carries four bits only. */
export const sha256Text: z.ZodType<Sha256, string> = z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, 'must be a SHA-256 in base64url');
export const hex = (bytes?: number): z.ZodType<string, string> => z.string().regex(bytes === undefined ? /^(?:[0-9a-f]{2}){1,512}$/ : new RegExp(`^[0-9a-f]{${2 * bytes}}$`), 'must be lower-case hex');
/** Free text for people; bounded, without control characters. */
export const text = (max = 256): z.ZodType<string, string> => z.string().min(1).max(max).regex(/^[^\u0000-\u001f\u007f]*$/, 'must not hold control characters');
/** A name for machines: agent, task, scenario, payee. */
export const name = (max = 128): z.ZodType<string, string> => z.string().max(max).regex(/^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$/, 'must be a plain name');
export const url: z.ZodType<string, string> = z.string().max(2048).regex(/^[a-z][a-z0-9+.-]*:\S+$/, 'must be a URL');
/** Integer seconds since 1970 (tokens). */
export const seconds: z.ZodType<number, number> = z.int().min(0).max(253_402_300_799);
/** Integer milliseconds since 1970 (stores, logs). */
export const millis: z.ZodType<number, number> = z.int().min(0).max(253_402_300_799_999);
export const count: z.ZodType<number, number> = z.int().min(0);
/** A 64-bit number of the TPM, as decimal text on the wire and bigint in memory. */
export const u64 = z.codec(z.string().regex(/^(?:0|[1-9][0-9]{0,19})$/), z.bigint(), { decode: (s) => BigInt(s), encode: (n) => n.toString() }) as Shape<bigint>;
export const id = (prefix: string): z.ZodType<string, string> => z.string().regex(new RegExp(`^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`), `must be a ${prefix}_ identifier`);
/** A compact token (JWS or SD-JWT) exactly as signed; its parts are checked where it is verified. */
export const token = (max = 65_536): z.ZodType<string, string> => z.string().min(20).max(max).regex(/^[A-Za-z0-9_.~-]+$/, 'must be a compact token');
export const publicJwk = z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: sha256Text, y: sha256Text });
/** An EC P-256 public key as JWK, members in RFC 7638 order. */
export type PublicJwk = z.output<typeof publicJwk>;
