/** Whether data has the shape that a JSON Schema of a protocol gives it: the keywords that make shapes, references between files, and no more. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Schema = Record<string, any> | boolean;
interface Place { readonly schema: Schema; readonly file: string }

const files = new Map<string, Schema>();
const load = (file: string): Schema => {
  const known = files.get(file) ?? JSON.parse(readFileSync(file, 'utf8')) as Schema;
  files.set(file, known);
  return known;
};

function follow(ref: string, file: string): Place {
  const [path = '', pointer = ''] = ref.split('#');
  const at = path === '' ? file : join(dirname(file), path);
  const schema = pointer.split('/').slice(1).reduce<any>((value, part) => value[decodeURIComponent(part).replaceAll('~1', '/')], load(at)) as Schema;
  return { schema, file: at };
}

const isKind = (value: unknown, type: string): boolean =>
  ({ object: typeof value === 'object' && value !== null && !Array.isArray(value), array: Array.isArray(value), integer: Number.isInteger(value), null: value === null }[type] ?? typeof value === type);

/** The first place where they differ; null: there is none. @param pointer to the schema in its file */
export const differs = (value: unknown, file: string, pointer = ''): string | null => check(value, follow(`#${pointer}`, file), '$');

function check(value: any, { schema, file }: Place, path: string): string | null {
  if (typeof schema === 'boolean') return schema ? null : `${path} may not be there`;
  const inner = (one: Schema, of: unknown = value, at = path): string | null => check(of, { schema: one, file }, at);
  if (typeof schema['$ref'] === 'string') {
    const wrong = check(value, follow(schema['$ref'], file), path);
    if (wrong !== null) return wrong;
  }
  const kinds = schema['type'] === undefined ? [] : [schema['type']].flat() as string[];
  if (kinds.length > 0 && !kinds.some((kind) => isKind(value, kind))) return `${path} is no ${kinds.join(' or ')}`;
  if (schema['enum'] && !schema['enum'].includes(value)) return `${path} is none of ${schema['enum']}`;
  if ('const' in schema && schema['const'] !== value) return `${path} is not ${schema['const']}`;
  if (typeof value === 'string' && schema['pattern'] && !new RegExp(schema['pattern'], 'u').test(value)) return `${path} does not match ${schema['pattern']}`;
  const own = isKind(value, 'object') ? members(value, schema, path, inner) : Array.isArray(value) && schema['items'] ? value.map((one, i) => inner(schema['items'], one, `${path}[${i}]`)).find((one) => one !== null) ?? null : null;
  if (own !== null) return own;
  for (const one of schema['allOf'] ?? []) { const wrong = inner(one); if (wrong !== null) return wrong; }
  for (const word of ['anyOf', 'oneOf']) {
    const all = (schema[word] ?? []).map((one: Schema) => inner(one)) as (string | null)[];
    if (all.length > 0 && !all.includes(null)) return `${path}: none of ${word}: ${all.join(', ')}`;
  }
  return contained(value, schema, path, inner);
}

function members(value: Record<string, unknown>, schema: Record<string, any>, path: string, inner: (one: Schema, of: unknown, at: string) => string | null): string | null {
  const missing = (schema['required'] ?? []).find((name: string) => !(name in value));
  if (missing !== undefined) return `${path}.${missing} is missing`;
  for (const [name, one] of Object.entries(value)) {
    const known = schema['properties']?.[name] as Schema | undefined;
    const wrong = known !== undefined ? inner(known, one, `${path}.${name}`) : schema['additionalProperties'] === undefined ? null : inner(schema['additionalProperties'], one, `${path}.${name}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

function contained(value: unknown, schema: Record<string, any>, path: string, inner: (one: Schema, of: unknown, at: string) => string | null): string | null {
  if (!Array.isArray(value) || schema['contains'] === undefined) return null;
  const count = value.filter((one) => inner(schema['contains'], one, path) === null).length;
  return count >= (schema['minContains'] ?? 1) && count <= (schema['maxContains'] ?? Infinity) ? null : `${path} contains ${count}`;
}
