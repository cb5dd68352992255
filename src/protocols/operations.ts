/** The operations of a checkout protocol over REST. What is none of them is not forwarded: it might pay in a way that nobody here recognises. */
import { fault } from '../base/fault.js';
import type { Asked } from './terms.js';

/** `path`: how the path ends, without the query; before it stands whatever the payee's base is. */
export interface Operation { readonly methods: readonly string[]; readonly path: RegExp; readonly pays: boolean }

/** One segment that is an identifier. */
export const ID = '(?<id>[A-Za-z0-9._~:@-]{1,256})';
/** A base names no operation itself: no path can be read as two of them. */
const BASE = '(?<base>(?:/(?!checkout|carts|complete)[A-Za-z0-9_~-]+){0,8})';

export const operation = (methods: string, path: string, pays = false): Operation => ({ methods: methods.split(' '), path: new RegExp(`^${BASE}/${path}$`), pays });

/** @throws Fault intake.target for what is no operation, also one in other letters or with a slash at its end */
export function operationOf(operations: readonly Operation[], { method, path }: Pick<Asked, 'method' | 'path'>): { pays: boolean; base: string; id: string } {
  const [plain = '', query] = path.split('?', 2);
  const found = operations.find((one) => one.methods.includes(method) && one.path.test(plain));
  if (found === undefined || (found.pays && query !== undefined)) throw fault('intake.target', { what: `${method} of this path is no operation of the protocol` });
  const { base = '', id = '' } = found.path.exec(plain)?.groups ?? {};
  return { pays: found.pays, base, id };
}
