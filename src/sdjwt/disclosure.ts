/**
 * Disclosures (RFC 9901 sections 4.2 and 7.1). Stricter than the RFC in one point: a digest without its disclosure is refused. Whoever decides
 * on a payment must see every constraint that the user signed; a dropped one would widen the mandate.
 */
import { fromB64u, sha256, toB64u } from '../base/bytes.js';
import { type Json, canonical, parseJson } from '../base/json.js';
import { Refusal } from './refusal.js';

type Members = { [name: string]: Json };

/** An array element made into a disclosure, and the element that stands for it. `salt`: 16 random bytes. */
export function conceal(value: Json, salt: Uint8Array): { disclosure: string; reference: { '...': string } } {
  const disclosure = toB64u(Buffer.from(canonical([toB64u(salt), value])));
  return { disclosure, reference: { '...': sha256(disclosure) } };
}

/**
 * A payload with every digest replaced by what it discloses, at any depth.
 * @throws Refusal when a disclosure is malformed, stands twice, is not referenced or is referenced twice, or when one is missing
 */
export function discloseAll(payload: Members, disclosures: string[]): Json {
  const open = new Map(disclosures.map((text) => [sha256(text), text]));
  if (open.size !== disclosures.length) throw new Refusal('a disclosure stands twice');
  const take = (digest: Json, parts: number): Json[] => {
    const text = typeof digest === 'string' ? open.get(digest) : undefined;
    if (text === undefined) throw new Refusal('a disclosure is missing or referenced twice');
    open.delete(digest as string);
    return readDisclosure(text, parts);
  };
  const result = members(payload, take);
  if (open.size > 0) throw new Refusal('a disclosure is not referenced');
  return result;
}

type Take = (digest: Json, parts: number) => Json[];

/** [salt, value] of an array element, [salt, name, value] of an object member. */
function readDisclosure(text: string, parts: number): Json[] {
  const bytes = fromB64u(text);
  if (bytes === null) throw new Refusal('a disclosure is not canonical base64url');
  const value = parseJson(bytes);
  if (!Array.isArray(value) || value.length !== parts || typeof value[0] !== 'string') throw new Refusal('a disclosure is malformed');
  return value;
}

function resolve(value: Json, take: Take): Json {
  if (Array.isArray(value)) return value.map((element) => resolveElement(element, take));
  return typeof value === 'object' && value !== null ? members(value, take) : value;
}

function resolveElement(element: Json, take: Take): Json {
  if (typeof element !== 'object' || element === null || Array.isArray(element) || !('...' in element)) return resolve(element, take);
  if (Object.keys(element).length !== 1) throw new Refusal('a digest stands beside other members');
  return resolve(take(element['...'] as Json, 2)[1] as Json, take);
}

function members(object: Members, take: Take): Members {
  const out: Members = {};
  for (const [name, value] of Object.entries(object)) if (name !== '_sd') out[name] = resolve(value, take);
  const digests = object['_sd'] ?? [];
  if (!Array.isArray(digests)) throw new Refusal('_sd is no list');
  for (const digest of digests) {
    const [, name, value] = take(digest, 3);
    if (typeof name !== 'string' || name === '_sd' || name === '...' || name === '__proto__' || name in out) throw new Refusal('a disclosed member has a name that is taken');
    out[name] = resolve(value as Json, take);
  }
  return out;
}
