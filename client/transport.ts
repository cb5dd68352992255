import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { connect, type NetConnectOpts, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { Fault } from '../src/base/fault.js';
import { AriError } from './error.js';

/** Keeps connections. The first one may be there already. */
class HandedAgent extends Agent {
  private handed: number | null;

  constructor(handed: number | null) {
    super({ keepAlive: true, maxSockets: 16, timeout: 30_000 });
    this.handed = handed;
  }

  override createConnection(options: NetConnectOpts): Socket {
    const { handed } = this;
    this.handed = null;
    return handed === null ? connect(options) : new Socket({ fd: handed, readable: true, writable: true });
  }
}

interface Sent { headers?: OutgoingHttpHeaders; body?: string }

/** HTTP over the sidecar's socket. Connections are kept: the sidecar identifies a process once for each. */
export class Transport {
  private readonly socket: string;
  private readonly agent: Agent;

  /** `handed`: descriptor of a connection that was made for this process; it is used first. */
  constructor(socket: string, handed: number | null = null) {
    this.socket = socket;
    this.agent = new HandedAgent(handed);
  }

  /** The body of a good answer. @throws AriError for every other one, link.sidecar when there is none */
  async ask(method: string, path: string, sent: Sent = {}): Promise<string> {
    return text(await this.open(method, path, sent));
  }

  async open(method: string, path: string, sent: Sent = {}): Promise<IncomingMessage> {
    try {
      const response = await this.send(method, path, sent);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      throw AriError.fromProblem(status, await text(response));
    } catch (error) {
      throw AriError.of(error);
    }
  }

  /** What a connection that ended before its answer means. */
  broken(cause: unknown): AriError {
    const { code, message } = cause as NodeJS.ErrnoException;
    return AriError.of(cause instanceof Fault ? cause : new Fault('link.sidecar', { socket: this.socket, what: code ?? message }, cause));
  }

  close(): void {
    this.agent.destroy();
  }

  private send(method: string, path: string, sent: Sent): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: this.socket, agent: this.agent, method, path, headers: { host: 'ari', ...sent.headers } }, resolve);
      request.on('error', (cause: NodeJS.ErrnoException) => {
        // A kept connection that the sidecar closed meanwhile; a payment has its key, so asking again is safe.
        if (request.reusedSocket && cause.code === 'ECONNRESET') resolve(this.send(method, path, sent));
        else reject(this.broken(cause));
      });
      request.end(sent.body);
    });
  }
}
