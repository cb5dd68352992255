/** One exchange with a payee, over a connection of its own: TLS, no redirects, an address that was judged, a bounded time and a bounded answer. */
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Fault, fault } from '../../src/base/fault.js';
import type { Answered, Asked, Target } from '../../src/protocols/index.js';
import { addressOf } from './address.js';

export interface Way { /** PEM authorities beside those of the system. */ readonly ca: readonly string[]; /** Whether a payee may be on this machine. */ readonly loopback: boolean }

const DEADLINE_MS = 30_000;
export const ANSWER_BYTES = 1_048_576;
/** Of a connection, not of a message (RFC 9110 section 7.6.1), or set anew. */
const HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'host', 'content-length', 'expect']);

type Headers = readonly (readonly [string, string])[];

/** Headers as they came, in pairs with lower-case names. */
export function pairsOf(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1] ?? ''] as [string, string]] : []));
}

/** Those that go on to the next hop: without those of the connection, those that `Connection` names, and all in which sidecar and payee speak. */
export function endToEnd(headers: Headers): Headers {
  const named = headers.filter(([name]) => name === 'connection').flatMap(([, value]) => value.toLowerCase().split(',').map((one) => one.trim()));
  return headers.filter(([name]) => !HOP.has(name) && !named.includes(name) && !name.startsWith('ari-'));
}

/** @throws Fault payee.address, payee.unreachable, payee.answer */
export async function exchange(target: Target, asked: Asked, way: Way): Promise<Answered> {
  const { address, family } = await addressOf(target.host, way.loopback);
  const body = asked.body.length > 0 || asked.method === 'POST' || asked.method === 'PUT' ? asked.body : null;
  const headers = [['host', target.origin.slice('https://'.length)], ...asked.headers, ...(body === null ? [] : [['content-length', String(body.length)]]), ['connection', 'close']];
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(cause instanceof Fault ? cause : new Fault('payee.unreachable', { host: target.host, what: (cause as NodeJS.ErrnoException).code ?? cause.name }, cause));
    const sent = httpsRequest({
      host: target.host, servername: isIP(target.host) === 0 ? target.host : '', port: target.port, method: asked.method, path: asked.path || '/', headers: headers.flat() as never, agent: false,
      lookup: (_host, { all }, done) => (all === true ? done(null, [{ address, family }]) : done(null, address, family)),
      signal: AbortSignal.timeout(DEADLINE_MS), ...(way.ca.length > 0 && { ca: [...way.ca] }),
    }, (response) => { read(response).then(resolve, fail); });
    sent.on('error', fail);
    sent.end(body ?? undefined);
  });
}

async function read(response: IncomingMessage): Promise<Answered> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > ANSWER_BYTES) throw fault('payee.answer', { what: `more than ${ANSWER_BYTES} bytes` });
    pieces.push(piece);
  }
  return { status: response.statusCode ?? 0, headers: pairsOf(response.rawHeaders), body: Buffer.concat(pieces) };
}
