/** /log: the deposit log as static files (c2sp.org/tlog-tiles), and the proofs that save a caller the tiles. */
import { z } from 'zod';
import { toB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { record, sha256Text, text } from '../../src/base/shape.js';
import { parseTilePath } from '../../src/deposit/tiles.js';
import { route, type Route } from './route.js';

const size = z.string().regex(/^[1-9][0-9]{0,15}$/, 'must be a number of leaves').transform(Number);

export const LOG: readonly Route[] = [
  route({
    method: 'GET', path: '/log/checkpoint', authority: 'public', summary: 'The newest signed checkpoint of the deposit log (c2sp.org/tlog-checkpoint).', answer: 'text/plain', cache: 'seconds',
    handle: (v) => v.log.checkpoint(),
  }),
  route({
    method: 'POST', path: '/log/cosignature', authority: 'signed', summary: 'Adds the signature line of a witness (c2sp.org/tlog-cosignature) to the checkpoint of `size` leaves.', status: 201,
    body: record({ size: z.int().min(1), line: text(1024) }), answer: record({ witness: text() }),
    handle: async (v, { body: { size: leaves, line } }) => ({ witness: await v.log.cosign(leaves, line) }),
  }),
  route({
    method: 'GET', path: '/log/tile/*', authority: 'public', answer: 'application/octet-stream', cache: 'immutable',
    summary: 'A hash tile, `LEVEL/N[.p/WIDTH]`, or an entry bundle, `entries/N[.p/WIDTH]`, of the deposit log (c2sp.org/tlog-tiles).',
    async handle(v, { params: { '*': rest = '' } }) {
      const tile = parseTilePath(`tile/${rest}`);
      const bytes = tile && (await v.log.tile(tile));
      if (!bytes) throw fault('intake.not_found', { what: `tile ${rest}` });
      return bytes;
    },
  }),
  route({
    method: 'GET', path: '/log/consistency', authority: 'public', summary: 'The proof that the log of `to` leaves, or the newest, continues that of `from` leaves (RFC 6962 section 2.1.2).',
    query: record({ from: size, to: size.optional() }), answer: record({ from: z.int(), to: z.int(), hashes: z.array(sha256Text) }),
    async handle(v, { query: { from, to: asked } }) {
      const { to, hashes } = await v.log.consistency(from, asked);
      return { from, to: to.size, hashes: hashes.map(toB64u) };
    },
  }),
  route({
    method: 'GET', path: '/log/leaf/:event/proof', authority: 'public', summary: 'The proof that an event is in the log (c2sp.org/tlog-proof@v1), under the newest checkpoint.', answer: 'text/plain',
    async handle(v, { params: { event = '' } }) {
      const leaf = await v.store.leafByEvent(event);
      if (!leaf) throw fault('intake.not_found', { what: `leaf of ${event}` });
      return v.log.proof(leaf.idx);
    },
  }),
];
