/** The documentation of the API, from the very shapes that check it. */
import { z } from 'zod';
import type { Shape } from '../../src/base/shape.js';
import { PROOF_SCHEME } from '../../src/objects/request.js';
import { VERSION } from '../../src/version.js';
import type { Json } from '../../src/base/json.js';
import { isRaw, type Route } from './route.js';

const schemaOf = (shape: Shape<unknown>): Json => {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' });
  return schema as Json;
};
/** A path as OpenAPI writes it. */
export const template = (path: string): string => path.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{rest}');
const content = (shape: Shape<unknown>): Json => ({ 'application/json': { schema: schemaOf(shape) } });

function parametersOf({ path, query }: Route): Json[] {
  const inPath = [...template(path).matchAll(/\{([A-Za-z]+)\}/g)].map(([, name = '']) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  if (!query) return inPath;
  const { properties = {}, required = [] } = schemaOf(query) as { properties?: Record<string, Json>; required?: string[] };
  return [...inPath, ...Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }))];
}

function operationOf(row: Route): Json {
  const { summary, body, answer, status = 200, authority, path } = row;
  return {
    summary,
    tags: [path.split('/')[2] ?? 'service'],
    ...(authority === 'admin' ? { security: [{ admin: [] }] } : authority === 'user' ? { security: [{ admin: [] }, { user: [] }] } : {}),
    'x-ari-authority': authority,
    parameters: parametersOf(row),
    ...(body ? { requestBody: { required: true, content: content(body) } } : {}),
    responses: {
      [String(status)]: { description: 'done', content: isRaw(answer) ? { [answer]: { schema: { type: 'string' } } } : content(answer) },
      default: { description: 'refused', content: { 'application/problem+json': { schema: { type: 'object' } } } },
    },
  };
}

export function openapi(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const row of routes) {
    const path = template(row.path);
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: operationOf(row) };
  }
  return {
    openapi: '3.1.0', info: { title: 'ari verifier', version: VERSION },
    components: { securitySchemes: { admin: { type: 'http', scheme: 'bearer' }, user: { type: 'http', scheme: PROOF_SCHEME } } }, paths,
  };
}
