/** One request and its answer. Whatever goes wrong becomes a problem with a code. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asFault, fault } from '../../src/base/fault.js';
import type { Log } from '../tpm/types.js';
import type { Caller } from './caller.js';
import type { Answered } from '../../src/protocols/index.js';
import { type Answer, problemAnswer } from './problem.js';
import { type Offer, routeOf } from './routes.js';
import type { SpokenStream } from './spoken.js';

/** Of all headers of a request together. */
export const HEADER_BYTES = 8192;

/** Web pages cannot open unix sockets, but local proxies can do it for them: a request with the marks of a browser is none of an agent. */
function refuseBrowser({ headers }: IncomingMessage): void {
  if (headers.origin !== undefined || headers.referer !== undefined) throw fault('intake.browser');
}

async function answerTo(caller: Caller, request: IncomingMessage, response: ServerResponse, offer: Offer): Promise<Answer | Answered | null> {
  refuseBrowser(request);
  const { work, parameters } = routeOf(request.method ?? '', request.url ?? '');
  if (request.method === 'GET') caller.arrived();
  return work({ request, response, peer: caller.peer, parameters, agent: () => caller.agent(), arrived: () => caller.arrived() }, offer);
}

export async function serve(caller: Caller, request: IncomingMessage, response: ServerResponse, offer: Offer, log: Log): Promise<void> {
  const answer = await caller.during(() => answerTo(caller, request, response, offer)).catch((error: unknown) => {
    tell(log, error, caller.peer.pid);
    return problemAnswer(error);
  });
  if (answer === null) return;
  send(request, response, answer);
  caller.answered();
}

/** What was not read of a request is not taken for the next one: its connection ends. */
function send(request: IncomingMessage, response: ServerResponse, answer: Answer | Answered): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (!request.complete) response.setHeader('connection', 'close');
  const { status, body } = answer;
  const headers = 'headers' in answer ? answer.headers : [['content-type', answer.type], ['cache-control', 'no-store']];
  response.writeHead(status, [...headers, ['content-length', String(Buffer.byteLength(body))]].flat()).end(body);
}

export function tell(log: Log, error: unknown, pid: number): void {
  const { code, message, cause } = asFault(error);
  log.warn(code === 'bug.internal' ? { code, pid, cause: cause instanceof Error ? cause.stack : String(cause) } : { code, pid }, message);
}

/** A connection on which HTTP could not be read, or that ended with a fault of its own. */
export function refuseStream(error: Error & { code?: string }, stream: SpokenStream): void {
  if (error.code === 'HPE_HEADER_OVERFLOW') stream.destroy(fault('intake.too_large', { size: `over ${HEADER_BYTES}`, max: HEADER_BYTES }));
  else stream.destroy(error.code?.startsWith('HPE_') ? fault('intake.malformed', { what: 'no HTTP request' }) : error);
}
