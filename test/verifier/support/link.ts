/** The device's end of the link, for tests: it says what it is told to say, right or wrong. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { ulid } from '../../../src/base/id.js';
import { canonical } from '../../../src/base/json.js';
import { encode, parse } from '../../../src/base/shape.js';
import { deviceMessage, type DeviceMessage, LINK_PATH, LINK_PROTOCOL, type LinkBody, verifierMessage, type VerifierMessage } from '../../../src/link.js';

type Waiter = { wants: (message: VerifierMessage) => boolean; done: (message: VerifierMessage) => void };

export class TestLink {
  readonly socket: WebSocket;
  readonly received: VerifierMessage[] = [];
  closedWith: number | null = null;
  private unread: VerifierMessage[] = [];
  private waiters: Waiter[] = [];

  private constructor(url: string) {
    this.socket = new WebSocket(new URL(LINK_PATH, url), LINK_PROTOCOL, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.take(parse(verifierMessage, data as Buffer)));
    this.socket.on('close', (code) => { this.closedWith = code; });
    this.socket.on('error', () => undefined);
  }

  static async open(url: string): Promise<TestLink> {
    const link = new TestLink(url);
    await once(link.socket, 'open');
    return link;
  }

  private take(message: VerifierMessage): void {
    this.received.push(message);
    const waiter = this.waiters.find(({ wants }) => wants(message));
    if (!waiter) return void this.unread.push(message);
    this.waiters = this.waiters.filter((each) => each !== waiter);
    waiter.done(message);
  }

  private wait(wants: Waiter['wants'], what: string, ms = 10_000): Promise<VerifierMessage> {
    const at = this.unread.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.unread.splice(at, 1)[0]!);
    return new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no ${what} came; ${this.received.map(({ type, body }) => (type === 'error' ? `error ${JSON.stringify(body)}` : type)).join(', ')}`)), ms);
      this.waiters.push({ wants, done: (message) => { clearTimeout(timer); done(message); } });
    });
  }

  send<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>): string {
    const id = ulid(Date.now(), randomBytes(10));
    this.socket.send(canonical(encode(deviceMessage, { v: 1, id, re: null, type, body } as DeviceMessage)));
    return id;
  }

  /** The next unread message of a type. */
  async next<T extends VerifierMessage['type']>(type: T, fits: (body: LinkBody<T>) => boolean = () => true): Promise<LinkBody<T>> {
    return (await this.wait((message) => message.type === type && fits(message.body as LinkBody<T>), type)).body as LinkBody<T>;
  }

  /** Sends, and waits for the message that answers it. */
  ask<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>): Promise<VerifierMessage> {
    const id = this.send(type, body);
    return this.wait((message) => message.re === id, `answer to ${type}`);
  }

  /** The code of the error that answers, or the type of the message that does. */
  async answerTo<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>): Promise<string> {
    const answer = await this.ask(type, body);
    return answer.type === 'error' ? answer.body.code : answer.type;
  }

  async closed(): Promise<number> {
    if (this.closedWith === null) await once(this.socket, 'close');
    return this.closedWith!;
  }

  close(): void {
    this.socket.terminate();
  }
}
