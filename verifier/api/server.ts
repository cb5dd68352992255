/** The HTTP server. Each row of the route table becomes a route; what has no row is not served, and what has no authority is refused. */
import { Readable } from 'node:stream';
import { type FastifyInstance, type FastifyRequest, LogController, fastify } from 'fastify';
import { digest, equal, sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { canonical, parseJson } from '../../src/base/json.js';
import { decode, encode } from '../../src/base/shape.js';
import { SESSION_HEADER } from '../../src/objects/request.js';
import { type Caller, callerOf } from '../callers.js';
import type { Verifier } from '../context.js';
import { faultOf, sendProblem } from './problems.js';
import { type Authority, CACHING, type Call, isRaw, type RawAnswer, type Route } from './route.js';

/** A mandate with all its constraints is far below. */
const BODY_BYTES = 262_144;

declare module 'fastify' {
  interface FastifyContextConfig { authority?: Authority }
  interface FastifyRequest { caller: Caller | null; bodySha256: string | null }
}

export interface ServerFiles { readonly tls: { readonly cert: string; readonly key: string } | null; readonly adminToken: string }

export function apiServer(v: Verifier, routes: readonly Route[], { tls, adminToken }: ServerFiles): FastifyInstance {
  const options = { loggerInstance: v.logger, bodyLimit: BODY_BYTES, logController: new LogController({ disableRequestLogging: true }), requestTimeout: 30_000, connectionTimeout: 60_000, routerOptions: { maxParamLength: 256 } };
  const app = (tls ? fastify({ ...options, https: { ...tls, minVersion: 'TLSv1.3' } }) : fastify(options)) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      request.bodySha256 = sha256(body as Buffer);
      done(null, parseJson(body as Buffer, { bytes: BODY_BYTES }));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler((error, request, reply) => { sendProblem(request, reply, faultOf(error, BODY_BYTES)); });
  app.setNotFoundHandler((request, reply) => { sendProblem(request, reply, missing(routes, request)); });
  app.decorateRequest('caller', null);
  app.decorateRequest('bodySha256', null);
  app.addHook('onRequest', authorise(v, adminToken));
  for (const row of routes) serve(app, v, row);
  return app;
}

function missing(routes: readonly Route[], request: FastifyRequest) {
  const path = request.url.split('?')[0] ?? '';
  const known = routes.some((row) => new RegExp(`^${row.path.replace(/:[^/]+/g, '[^/]+').replace('*', '.+')}$`).test(path));
  return known ? fault('intake.method', { method: request.method, path }) : fault('intake.not_found', { what: path });
}

/** Deny by default: a route that says nothing about its authority answers nobody. Tokens are compared as digests, in constant time. */
function authorise(v: Verifier, adminToken: string) {
  const wanted = digest(`Bearer ${adminToken}`);
  return async (request: FastifyRequest): Promise<void> => {
    const { authority } = request.routeOptions.config;
    const { authorization } = request.headers;
    if (request.is404 || authority === 'public' || authority === 'signed') return;
    if (authority !== undefined && equal(digest(authorization ?? ''), wanted)) return;
    if (authority === 'user') request.caller = await callerOf(v, { method: request.method, url: request.url, here: hereOf(request), authorization, session: sessionOf(request) });
    if (request.caller === null) throw fault('intake.unauthorised', { what: authority === 'user' ? "the proof of a user's key or the bearer token of the operator is needed" : 'the bearer token of the operator is needed' });
  };
}

/** The names of this machine for itself, when it was called by one of them; the address is the connection's own. */
const hereOf = ({ protocol, socket: { localAddress = '', localPort } }: FastifyRequest): string[] =>
  (/^(?:::ffff:)?127\.|^::1$/.test(localAddress) ? ['127.0.0.1', '[::1]', 'localhost'].map((host) => new URL(`${protocol}://${host}:${localPort}`).origin) : []);

const sessionOf = ({ headers: { [SESSION_HEADER]: session } }: FastifyRequest): string | undefined => (Array.isArray(session) ? session.join() : session);

/** A user has what is hers, and proved these very bytes. @throws Fault intake.not_found, intake.unauthorised */
async function assertOwn(v: Verifier, row: Route, call: Call<unknown, unknown>, { caller, bodySha256, url }: FastifyRequest): Promise<void> {
  if (caller === null) return;
  if (caller.bodySha256 !== bodySha256) throw fault('intake.unauthorised', { what: 'the proof is for another body' });
  const owners = row.authority === 'user' ? await row.of(v, call) : [];
  if (!owners.includes(caller.userId)) throw fault('intake.not_found', { what: url.split('?')[0] ?? '' });
}

function serve(app: FastifyInstance, v: Verifier, row: Route): void {
  const { method, path, authority, query, body, answer, status = 200, cache } = row;
  app.route({
    method, url: path, config: { authority },
    handler: async (request, reply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const call = {
        gone: gone.signal,
        params: request.params as Record<string, string>,
        query: query && decode(query, request.query, 'query'),
        body: body && decode(body, request.body, 'body'),
        user: request.caller?.userId ?? null,
      };
      await assertOwn(v, row, call, request);
      const result = await row.handle(v, call);
      const content = isRaw(answer) ? rawContent(result) : canonical(encode(answer, result));
      if (answer === 'text/event-stream') reply.header('connection', 'close'); // a stream ends with the process, and its connection with it
      return reply.status(status).header('cache-control', cache ? CACHING[cache] : 'no-store').type(mediaType(answer)).send(content);
    },
  });
}

/** A text, bytes, or texts as they come: whoever stops listening ends them. */
const rawContent = (result: unknown): string | Buffer | Readable => (typeof result === 'string' || Buffer.isBuffer(result) ? result : Readable.from(result as AsyncIterable<string>, { objectMode: false }));

const mediaType = (answer: Route['answer']): string => {
  const type: RawAnswer = isRaw(answer) ? answer : 'application/json';
  return type === 'text/plain' || type === 'application/json' ? `${type}; charset=utf-8` : type;
};
