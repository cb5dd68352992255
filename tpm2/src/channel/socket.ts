/** swtpm's data channel, unix or TCP: bare TPM messages without framing. One client at a time; nothing is flushed when it leaves. */
import net from 'node:net';
import { ChannelError } from '../errors.js';
import { type Channel, channelError, DEFAULT_DEADLINE_MS } from './channel.js';
import { Gatherer } from './gatherer.js';

interface Waiting {
  done(response: Buffer): void;
  fail(error: ChannelError): void;
}

export class SocketChannel implements Channel {
  readonly shared = false;
  readonly sweepable = true;
  losses = 0;
  readonly #where: string;
  readonly #to: net.NetConnectOpts;
  #socket: net.Socket | null = null;
  #waiting: Waiting | null = null;
  #gatherer = new Gatherer();
  #closed = false;

  private constructor(where: string, to: net.NetConnectOpts) {
    this.#where = where;
    this.#to = to;
  }

  static async open(where: string, to: net.NetConnectOpts): Promise<SocketChannel> {
    const channel = new SocketChannel(where, to);
    await channel.#waitFor(DEFAULT_DEADLINE_MS, (wait) => channel.#connect(() => wait.done(Buffer.alloc(0))));
    return channel;
  }

  send(command: Uint8Array, deadlineMs = DEFAULT_DEADLINE_MS): Promise<Buffer> {
    if (this.#closed) return Promise.reject(new ChannelError('closed', `${this.#where}: the channel was closed`));
    if (this.#waiting !== null) return Promise.reject(new ChannelError('busy', `${this.#where}: a command is under way`));
    return this.#waitFor(deadlineMs, () => {
      const socket = this.#socket ?? this.#connect();
      socket.write(command);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const socket = this.#socket;
    if (socket === null) return;
    const gone = new Promise<void>((done) => socket.once('close', () => done()));
    this.#lose(new ChannelError('closed', `${this.#where}: the channel was closed`));
    await gone;
  }

  #waitFor(deadlineMs: number, begin: (wait: Waiting) => void): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#lose(new ChannelError('hung', `${this.#where}: no answer in ${Math.round(deadlineMs)} ms`)), deadlineMs);
      this.#waiting = {
        done: (response) => { clearTimeout(late); this.#waiting = null; resolve(response); },
        fail: (error) => { clearTimeout(late); this.#waiting = null; reject(error); },
      };
      begin(this.#waiting);
    });
  }

  #connect(connected?: () => void): net.Socket {
    const socket = net.connect(this.#to);
    this.#socket = socket;
    this.#gatherer = new Gatherer();
    socket.setNoDelay(true);
    if (connected !== undefined) socket.once('connect', connected);
    socket.on('data', (part) => { if (socket === this.#socket) this.#take(part); });
    socket.on('error', (cause) => { if (socket === this.#socket) this.#lose(channelError(this.#where, cause)); });
    socket.on('close', () => { if (socket === this.#socket) this.#lose(new ChannelError('closed', `${this.#where}: the TPM closed the connection`)); });
    return socket;
  }

  #take(part: Buffer): void {
    const fault = this.#waiting === null ? 'an answer that nobody asked for' : undefined;
    const response = fault === undefined ? this.#gatherer.add(part) : fault;
    if (typeof response === 'string') this.#lose(new ChannelError('garbage', `${this.#where}: ${response}`));
    else if (response !== null) this.#waiting?.done(response);
  }

  /** The connection is of no more use: whoever waits is told, and the next send opens another. */
  #lose(error: ChannelError): void {
    const socket = this.#socket;
    this.#socket = null;
    this.losses++;
    socket?.destroy();
    this.#waiting?.fail(error);
  }
}
