/** Members of strangers' JSON objects. What is absent or of another kind is refused by its path, never guessed. */
import { fault } from '../base/fault.js';
import { type Json, type JsonLimits, parseJson } from '../base/json.js';

export type Members = { readonly [name: string]: Json };

export const isObject = (value: Json | undefined): value is { [name: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Strict JSON text of one object. @throws Fault intake.*, money.not_integer */
export function readObject(text: string | Uint8Array, what: string, limits: JsonLimits = {}): Members {
  const value = parseJson(text, limits);
  if (!isObject(value)) throw fault('intake.malformed', { what: `${what} is no JSON object` });
  return value;
}

export function objectAt(value: Members, name: string, what: string): Members {
  const member = value[name];
  if (!isObject(member)) throw fault('intake.malformed', { what: `${what}: ${name} is no object` });
  return member;
}

/** An array of objects; an absent one is empty. */
export function objectsAt(value: Members, name: string, what: string): Members[] {
  const member = value[name] ?? [];
  if (!Array.isArray(member) || !member.every(isObject)) throw fault('intake.malformed', { what: `${what}: ${name} is no list of objects` });
  return member;
}

export function textAt(value: Members, name: string, what: string): string {
  const member = value[name];
  if (typeof member !== 'string' || member === '' || member.length > 2048) throw fault('intake.malformed', { what: `${what}: ${name} is no text` });
  return member;
}
