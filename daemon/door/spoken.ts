/**
 * A connection of which every byte is known to be written by the process that connected.
 *
 * SO_PEERCRED names who connected, not who speaks: a forked child, or a process that was handed the descriptor, writes on the same connection.
 * (Looking in /proc for other holders of the socket misses one that writes and ends.) So Node's own reading is never started: bytes are read here
 * with recvmsg(2), one writer's at a time and with the credentials that the kernel attached when they were written. The first byte of anyone else
 * ends the connection. Only a process with CAP_SYS_ADMIN can attach another's pid.
 */
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Fault, fault } from '../../src/base/fault.js';
import { type Credentials, native, type Watch } from '../native.js';
import type { Peer } from '../ports.js';
import { descriptorOf } from './peer.js';
import { problemResponse } from './problem.js';

/** What a peer has not read so long after the end is not waited for: one that reads nothing would keep its connection, and the door from closing, for ever. */
const LAST_WORDS_MS = 1_000;

export class SpokenStream extends Duplex {
  readonly peer: Peer;
  private readonly socket: Socket;
  private readonly descriptor: number;
  private readonly watch: Watch;

  /** `socket` must be paused since it was accepted, and its listener have SO_PASSCRED. The stream owns the socket from now on; destroyed with a fault, it tells it as its last words. */
  constructor(socket: Socket, peer: Peer) {
    super({ allowHalfOpen: true });
    this.peer = peer;
    this.socket = socket;
    native().passCredentials(descriptorOf(socket as never));
    this.descriptor = native().duplicate(descriptorOf(socket as never));
    this.watch = native().watch(this.descriptor, () => this.receive());
    this.watch.stop();
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.on('timeout', () => this.emit('timeout'));
  }

  override _read(): void {
    this.watch.start({ readable: true }, () => this.receive());
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.watch.close();
    closeSync(this.descriptor);
    if (error instanceof Fault) this.socket.end(problemResponse(error));
    this.socket.destroySoon();
    const cut = setTimeout(() => this.socket.destroy(), LAST_WORDS_MS);
    this.socket.once('close', () => clearTimeout(cut));
    done(error);
  }

  /** As of net.Socket: http sets its idle timeouts with it. */
  setTimeout(ms: number, listener?: () => void): this {
    this.socket.setTimeout(ms);
    if (listener) this.once('timeout', listener);
    return this;
  }

  private receive(): void {
    try {
      for (let more = true; more && !this.destroyed;) {
        const received = native().receive(this.descriptor);
        if (received === null) return;
        more = this.accept(received.data, received.from);
      }
      if (!this.destroyed) this.watch.stop();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** @returns whether to read on */
  private accept(data: Buffer, from: Credentials | null): boolean {
    if (data.length === 0) {
      this.push(null);
      return false;
    }
    if (from?.pid !== this.peer.pid) throw fault('peer.other_speaker', { speaker: from?.pid ?? 0, pid: this.peer.pid });
    return this.push(data);
  }
}
