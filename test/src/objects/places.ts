/** Every object inside plain data, with ways to change it there. */
import type { Json } from '../../../src/base/json.js';

type Members = { [name: string]: Json };
export interface Place {
  path: string;
  object: Members;
  /** The whole with this object replaced. */
  replace: (by: Members) => Json;
  /** The whole with members of this object added or changed. */
  set: (members: Members) => Json;
}

export function places(whole: Json, path = '', rebuild: (part: Json) => Json = (part) => part): Place[] {
  if (typeof whole !== 'object' || whole === null) return [];
  if (Array.isArray(whole)) return whole.flatMap((part, i) => places(part, `${path}.${i}`, (by) => rebuild(whole.with(i, by))));
  const here: Place = { path, object: whole, replace: rebuild, set: (members) => rebuild({ ...whole, ...members }) };
  return [here, ...Object.entries(whole).flatMap(([name, part]) => places(part, `${path}.${name}`, (by) => rebuild({ ...whole, [name]: by })))];
}

export const without = (object: Members, name: string): Members => Object.fromEntries(Object.entries(object).filter(([one]) => one !== name));
