/**
 * A payee as others run one: an HTTPS server with a certificate of an authority of the test, that knows nothing of sidecars but the header (or payload)
 * in which the payment comes. It captures with it at the verifier, once, before it answers.
 */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TlsFiles } from '../../../verifier/tls.js';
import { readFileSync } from 'node:fs';

export interface Call { readonly method: string; readonly url: string; readonly raw: readonly string[]; readonly headers: IncomingMessage['headers']; readonly body: Buffer }
export interface Said { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown; /** In place of `body`: exactly these bytes. */ readonly bytes?: string | Buffer }
/** What the execution token was shown with; the amount it is to be captured for. */
export interface Shown { readonly token: string; readonly mandate: string; readonly closedMandate: string }
export type Capture = (shown: Shown, amount: number) => Promise<{ status: number; state: string | null }>;

export abstract class Payee {
  readonly calls: Call[] = [];
  readonly captured: string[] = [];
  /** Asked before the payee itself: what it says, in its place. */
  instead: ((call: Call) => Said | 'hang up' | undefined) | null = null;
  /** So many calls are worked on and never answered. */
  hangUpAfter = 0;
  protected readonly capture: Capture;
  private readonly server: Server;

  constructor(tls: TlsFiles, capture: Capture) {
    this.capture = capture;
    this.server = createServer({ cert: readFileSync(tls.certificate), key: readFileSync(tls.key) }, (request, response) => { void this.serve(request, response); });
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => { this.server.listen(0, '127.0.0.1', done); });
    return this;
  }

  get host(): string { return `localhost:${(this.server.address() as AddressInfo).port}`; }
  get origin(): string { return `https://${this.host}`; }

  forget(): void {
    this.calls.length = 0;
    this.captured.length = 0;
    this.instead = null;
    this.hangUpAfter = 0;
  }

  /** Calls whose path ends so. */
  to(ending: string): Call[] { return this.calls.filter(({ url }) => url.endsWith(ending)); }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((done) => { this.server.close(() => done()); });
  }

  protected abstract answer(call: Call): Promise<Said>;

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call: Call = { method: request.method ?? '', url: request.url ?? '', raw: request.rawHeaders, headers: request.headers, body: await buffer(request) };
    this.calls.push(call);
    const instead = this.instead?.(call);
    if (instead === 'hang up') return void request.socket.destroy();
    const { status, headers = {}, body, bytes } = instead ?? await this.answer(call);
    if (call.url.endsWith('/complete') && this.hangUpAfter-- > 0) return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(bytes ?? (body === undefined ? '' : JSON.stringify(body)));
  }
}

/** The payment in `ARI-Payment`; null when there is none. */
export function shownIn({ headers }: Call): Shown | null {
  const said = headers['ari-payment'];
  const [, token, mandate, closedMandate] = typeof said === 'string' ? /^execution="([^"]+)", mandate="([^"]+)", closed="([^"]+)"$/.exec(said) ?? [] : [];
  return token === undefined || mandate === undefined || closedMandate === undefined ? null : { token, mandate, closedMandate };
}
