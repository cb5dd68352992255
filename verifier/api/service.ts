/** What anyone may read of this service: its keys, its health, its documentation. */
import { fault } from '../../src/base/fault.js';
import { canonical } from '../../src/base/json.js';
import { record, text } from '../../src/base/shape.js';
import { VERSION } from '../../src/version.js';
import { keysFile } from '../trust.js';
import { openapi } from './openapi.js';
import { route, type Route } from './route.js';

export const SERVICE: readonly Route[] = [
  route({
    method: 'GET', path: '/.well-known/jwks.json', authority: 'public', summary: 'The public keys with which bundles are verified offline.', answer: 'application/json',
    handle: async (v) => canonical(await keysFile(v.store, v.keys.log.vkey)),
  }),
  route({
    method: 'GET', path: '/status/:n', authority: 'public', summary: 'A Token Status List: 1 carriers, 2 mandates, 3 devices.', answer: 'application/statuslist+jwt', cache: 'seconds',
    async handle(v, { params: { n = '' } }) {
      const list = await v.statuses.read(n);
      if (list === null) throw fault('intake.not_found', { what: `status list ${n}` });
      return list;
    },
  }),
  route({
    method: 'GET', path: '/healthz', authority: 'public', summary: 'Whether this process serves and reaches its store.', answer: record({ status: text(16), version: text(64) }),
    async handle(v) {
      await v.store.checkpoint();
      return { status: 'ok', version: VERSION };
    },
  }),
];

/** Documents itself too. */
export function withDocumentation(routes: readonly Route[]): Route[] {
  const all: Route[] = [...routes, route({
    method: 'GET', path: '/openapi.json', authority: 'public', summary: 'This documentation.', answer: 'application/json',
    handle: () => Promise.resolve(canonical(openapi(all))),
  })];
  return all;
}
