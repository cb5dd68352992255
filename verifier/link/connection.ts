/**
 * One sidecar's connection: strict messages in, one at a time, in the order they came; each is answered or refused and none ends the process.
 *
 * Stages: `new` (has said nothing) -> `stranger` (hello) -> `enrolling` (challenged) -> `proven` (its attestation key signed a nonce of this connection).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { asFault, Fault, fault } from '../../src/base/fault.js';
import { ulid } from '../../src/base/id.js';
import { parseJson } from '../../src/base/json.js';
import { decode } from '../../src/base/shape.js';
import { deviceMessage, type DeviceMessage, LINK_LIMITS, type LinkBody, messageText, type VerifierMessage } from '../../src/link.js';
import type { Tier } from '../../src/names.js';
import type { Verifier } from '../context.js';
import type { Enrolling } from '../enrol.js';
import type { Reachable } from '../hub.js';
import type { KeptIma } from '../imalists.js';
import { Bucket, type ConnectionLimits } from './limits.js';
import { ManifestPages } from './manifestpages.js';
import { Pages, type Room } from './pages.js';

type Hello = LinkBody<'hello'>;
export type Stage =
  | { readonly name: 'new' }
  | { readonly name: 'stranger'; readonly hello: Hello }
  | { readonly name: 'enrolling'; readonly hello: Hello; readonly enrolling: Enrolling }
  | { readonly name: 'proven'; readonly hello: Hello; readonly deviceId: string; readonly akName: string; readonly tier: Tier };
export type StageName = Stage['name'];
export type Dispatch = (v: Verifier, connection: Connection, message: DeviceMessage) => Promise<void>;

export class Connection implements Reachable {
  /** Names this connection; the platform nonces it gets are good for it alone. */
  readonly id: string;
  stage: Stage = { name: 'new' };
  /** The log of this device as far as it came without evidence. */
  readonly pages: Pages;
  /** A manifest on its way. */
  readonly manifest: ManifestPages;
  /** Where its IMA list stands: what was accepted, and pieces since. Null before it is proven, and where no list is asked for. */
  ima: KeptIma | null = null;
  private readonly v: Verifier;
  private readonly socket: WebSocket;
  private readonly limits: ConnectionLimits;
  private readonly bucket: Bucket;
  private readonly timers: NodeJS.Timeout[];
  private readonly tasks = new Set<Promise<void>>();
  private platformNonces: string[] = [];
  private queued = 0;
  private wrongCodes = 0;
  private work: Promise<void> = Promise.resolve();
  private alive = true;

  constructor(v: Verifier, socket: WebSocket, limits: ConnectionLimits, dispatch: Dispatch, room: Room) {
    this.v = v;
    this.socket = socket;
    this.limits = limits;
    this.pages = new Pages(room);
    this.manifest = new ManifestPages(room);
    this.id = ulid(v.now(), v.random(10));
    this.bucket = new Bucket(limits, v.now());
    this.timers = [setInterval(() => this.beat(), limits.heartbeatMs), setTimeout(() => this.mustBeProven(), limits.proveMs)];
    socket.on('pong', () => { this.alive = true; });
    socket.on('error', (cause) => v.logger.debug({ connection: this.id, cause: cause.message }, 'link error'));
    socket.on('message', (data, binary) => this.receive(data as Buffer, binary, dispatch));
    socket.once('close', () => this.ended());
  }

  /** Sends without waiting. A peer that does not read is cut off before it fills the memory. */
  readonly send = <T extends VerifierMessage['type']>(type: T, body: LinkBody<T>, re: string | null = null): void => {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > this.limits.unsentBytes) return this.socket.terminate();
    this.socket.send(messageText({ v: 1, id: ulid(this.v.now(), this.v.random(10)), re, type, body } as VerifierMessage));
  };

  refuse(error: unknown, re: string | null): void {
    const refused = asFault(error);
    if (refused.code === 'bug.internal') this.v.logger.error({ connection: this.id, err: refused.cause }, 'message failed');
    this.send('error', { code: refused.code, message: refused.message.slice(0, 1024) }, re);
  }

  /** Keeps where the IMA list stands, and says it: the device goes on there. */
  knowIma(ima: KeptIma | null, re: string | null = null): void {
    this.ima = ima;
    if (ima !== null) this.send('ima', { entries: ima.standing.n, bytes: ima.standing.bytes }, re);
  }

  /** Repeats a task while the connection lives. */
  every(ms: number, task: () => void): void {
    this.timers.push(setInterval(task, ms));
  }

  close(reason: string): void {
    this.socket.close(1008, reason);
  }

  /** Work that goes on after its message was handled; what it throws is told to the peer as the answer to that message. */
  track(task: Promise<void>, re: string): void {
    const tracked = task.catch((error: unknown) => this.refuse(error, re)).finally(() => this.tasks.delete(tracked));
    this.tasks.add(tracked);
  }

  /** Gives the peer nonces for its platform evidence. They are good on this connection only: each proves that the key is live on it. */
  givePlatformNonces(count: number): void {
    const subject = this.stage.name === 'new' ? null : this.stage.hello.akName;
    const nonces = Array.from({ length: count }, () => this.v.nonces.issue(subject ?? this.id, this.v.now()));
    this.platformNonces = [...this.platformNonces, ...nonces.map(({ nonce }) => nonce)].slice(-LINK_LIMITS.nonces);
    this.send('nonces', { purpose: 'platform', nonces });
  }

  /** Gives a proven device nonces for payments, ahead of need; they outlive the connection. */
  givePaymentNonces(count: number): void {
    if (this.stage.name !== 'proven') return;
    const { deviceId } = this.stage;
    this.send('nonces', { purpose: 'payment', nonces: Array.from({ length: count }, () => this.v.nonces.issue(deviceId, this.v.now())) });
  }

  /** True once for a platform nonce that was given on this connection. */
  spend(nonce: string): boolean {
    const given = this.platformNonces.length;
    this.platformNonces = this.platformNonces.filter((each) => each !== nonce);
    return this.platformNonces.length < given;
  }

  /** A wrong enrolment code costs its sender time: other messages of this connection wait too. @throws what it was given */
  async wrongCode(error: unknown): Promise<never> {
    if (!(error instanceof Fault) || error.code !== 'enrol.code') throw error;
    await sleep(this.limits.wrongCodeMs);
    if (++this.wrongCodes >= this.limits.wrongCodes) setImmediate(() => this.close('too many wrong codes'));
    throw error;
  }

  /** What is at work has ended. */
  async idle(): Promise<void> {
    await this.work;
    await Promise.all(this.tasks);
  }

  private receive(data: Buffer, binary: boolean, dispatch: Dispatch): void {
    if (this.queued >= this.limits.queued || !this.bucket.take(this.v.now())) return this.close('too many messages');
    const message = this.read(data, binary);
    if (message === null) return;
    this.queued++;
    this.work = this.work
      .then(() => (this.socket.readyState === WebSocket.OPEN ? dispatch(this.v, this, message) : undefined))
      .catch((error: unknown) => this.refuse(error, message.id))
      .finally(() => { this.queued--; });
  }

  /** Bytes of a stranger, before anything is known: one wrong byte ends the connection. */
  private read(data: Buffer, binary: boolean): DeviceMessage | null {
    try {
      if (binary) throw fault('link.protocol', { what: 'a binary message' });
      return decode(deviceMessage, parseJson(data, { bytes: LINK_LIMITS.messageBytes }));
    } catch (error) {
      this.refuse(error instanceof Fault ? error : fault('link.protocol', { what: 'not a message' }), null);
      this.socket.close(1002, 'protocol');
      return null;
    }
  }

  private beat(): void {
    if (!this.alive) return this.socket.terminate();
    this.alive = false;
    this.socket.ping();
  }

  private mustBeProven(): void {
    if (this.stage.name !== 'proven') this.close('not proven in time');
  }

  private ended(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.pages.take();
    this.manifest.drop();
    if (this.stage.name === 'proven') this.v.hub.leave(this.stage.deviceId, this);
  }
}
