/** One connection: the process behind it, the agent it was found to be, and the time it has to send a request. */
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { fault } from '../../src/base/fault.js';
import type { Agent, Peer } from '../ports.js';
import { SpokenStream } from './spoken.js';

/** From the first connection, or the last answer, until the next request is here whole. */
export const TIMES = { receiveMs: 10_000, idleMs: 60_000, finishMs: 5000 };

/** Which agent a process is. @throws Fault peer.unknown */
type Resolve = (peer: Peer) => Promise<Agent>;

export class Caller {
  readonly peer: Peer;
  readonly stream: SpokenStream;
  private readonly resolve: Resolve;
  private readonly times: typeof TIMES;
  private found: Agent | undefined;
  private deadline: NodeJS.Timeout | undefined;
  private atWork = 0;
  private closed = false;

  /** Owns socket and peer from now on. */
  constructor(socket: Socket, peer: Peer, resolve: Resolve, times = TIMES) {
    this.peer = peer;
    this.resolve = resolve;
    this.times = times;
    this.stream = new SpokenStream(socket, peer);
    this.expectRequest(times.receiveMs);
    this.stream.once('close', () => {
      this.closed = true;
      this.arrived();
      this.release();
    });
  }

  /** The agent that this process is; an exec afterwards is seen by the peer. @throws Fault peer.unknown */
  async agent(): Promise<Agent> {
    return (this.found ??= await this.resolve(this.peer));
  }

  /** The process waits to become this agent: it may take its time until it asks for something. */
  launched(agent: Agent): void {
    this.found = agent;
    this.arrived();
  }

  /** Does work for a request of a process that is still the one that connected. Its peer stays open until then, also when the connection ends. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.peer.stillThere();
    this.atWork++;
    try {
      return await work();
    } finally {
      this.atWork--;
      this.release();
      this.stream.emit('rest');
    }
  }

  /** The request is here whole. */
  arrived(): void {
    clearTimeout(this.deadline);
  }

  /** The answer was given: another request may follow. */
  answered(): void {
    this.expectRequest(this.times.idleMs);
  }

  /** Ends the connection, after the work at hand if that does not take long. */
  async finish(): Promise<void> {
    if (this.atWork > 0) await once(this.stream, 'rest', { signal: AbortSignal.timeout(this.times.finishMs) }).catch(() => undefined);
    this.stream.destroy();
  }

  private expectRequest(ms: number): void {
    clearTimeout(this.deadline);
    if (!this.closed) this.deadline = setTimeout(() => this.stream.destroy(fault('intake.slow', { ms })), ms);
  }

  private release(): void {
    if (this.closed && this.atWork === 0) this.peer.close();
  }
}
