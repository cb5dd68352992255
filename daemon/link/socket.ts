/**
 * One WebSocket to the verifier: outbound, TLS 1.3, no compression, small messages. What arrives is hostile until parsed: a message that is not of the
 * protocol closes the connection with link.protocol, and nothing of it is used.
 */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { fault, Fault, faultTold } from '../../src/base/fault.js';
import { ulid } from '../../src/base/id.js';
import { parse, type Shape } from '../../src/base/shape.js';
import { type DeviceMessage, type LinkBody, type LinkType, LINK_LIMITS, LINK_PATH, LINK_PROTOCOL, type VerifierMessage, messageText, verifierMessage } from '../../src/link.js';

const CONNECT_MS = 10_000;
const HEARTBEAT_MS = 20_000;
/** So long the verifier may take to answer a close (RFC 6455, section 7.1.1): one that hangs does not hold the sidecar. */
const CLOSE_MS = 1_000;

export interface LinkSocket {
  /** Sends without waiting. @returns the message id. @throws Fault link.offline */
  send<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>, re?: string): string;
  /** Sends and waits for the message that answers it. @throws Fault link.offline, link.timeout; an `error` answer is thrown as the fault it names */
  request<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>, deadlineMs: number): Promise<VerifierMessage>;
  /** Resolves with the reason once the connection is gone. */
  readonly closed: Promise<Fault>;
  close(): void;
}

/** Connects. `onMessage` gets every message that answers nothing. @throws Fault link.offline */
export function connectLink(url: string, ca: string | undefined, onMessage: (message: VerifierMessage) => void): Promise<LinkSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL(LINK_PATH, url), LINK_PROTOCOL, {
      perMessageDeflate: false, maxPayload: LINK_LIMITS.messageBytes, handshakeTimeout: CONNECT_MS, followRedirects: false,
      ...(url.startsWith('wss:') ? { minVersion: 'TLSv1.3' as const, ...(ca === undefined ? {} : { ca }) } : {}),
    });
    socket.once('error', (cause) => reject(new Fault('link.offline', {}, cause)));
    socket.once('open', () => resolve(new Connection(socket, onMessage)));
  });
}

interface Waiting { done: (message: VerifierMessage) => void; failed: (fault: Fault) => void; timer: NodeJS.Timeout }

class Connection implements LinkSocket {
  readonly closed: Promise<Fault>;
  private readonly socket: WebSocket;
  private readonly waiting = new Map<string, Waiting>();
  private reason: Fault = fault('link.offline');

  constructor(socket: WebSocket, onMessage: (message: VerifierMessage) => void) {
    this.socket = socket;
    const heartbeat = this.heartbeat();
    socket.on('error', (cause) => { this.reason = new Fault('link.offline', {}, cause); });
    socket.on('message', (data, binary) => this.receive(data as Buffer, binary, onMessage));
    this.closed = new Promise((done) => socket.once('close', () => {
      clearInterval(heartbeat);
      for (const { failed, timer } of this.waiting.values()) {
        clearTimeout(timer);
        failed(this.reason);
      }
      this.waiting.clear();
      done(this.reason);
    }));
  }

  /** A peer that is silent for two beats is gone: half-open connections look alive for minutes otherwise. */
  private heartbeat(): NodeJS.Timeout {
    let alive = true;
    this.socket.on('pong', () => { alive = true; });
    return setInterval(() => {
      if (!alive) return this.socket.terminate();
      alive = false;
      this.socket.ping();
    }, HEARTBEAT_MS).unref();
  }

  private receive(data: Buffer, binary: boolean, onMessage: (message: VerifierMessage) => void): void {
    let message: VerifierMessage;
    try {
      if (binary) throw fault('link.protocol', { what: 'a binary message' });
      message = parse(verifierMessage as Shape<VerifierMessage>, data, 'message of the verifier', { bytes: LINK_LIMITS.messageBytes });
    } catch (cause) {
      this.reason = new Fault('link.protocol', { what: (cause as Error).message }, cause);
      return this.socket.close(1002, 'protocol');
    }
    const waiter = message.re === null ? undefined : this.waiting.get(message.re);
    if (!waiter) return onMessage(message);
    this.waiting.delete(message.re as string);
    clearTimeout(waiter.timer);
    if (message.type === 'error') return waiter.failed(faultTold(message.body.code, message.body.message));
    return waiter.done(message);
  }

  send<T extends LinkType>(type: T, body: LinkBody<T>, re?: string): string {
    if (this.socket.readyState !== WebSocket.OPEN) throw this.reason;
    const id = ulid(Date.now(), randomBytes(10));
    this.socket.send(messageText({ v: 1, id, re: re ?? null, type, body } as DeviceMessage));
    return id;
  }

  request<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>, deadlineMs: number): Promise<VerifierMessage> {
    if (this.waiting.size >= LINK_LIMITS.inFlight) return Promise.reject(fault('link.stale'));
    const id = this.send(type, body);
    return new Promise((done, failed) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        failed(fault('link.timeout'));
      }, deadlineMs);
      this.waiting.set(id, { done, failed, timer });
    });
  }

  close(): void {
    this.socket.close(1000);
    const cut = setTimeout(() => this.socket.terminate(), CLOSE_MS);
    this.socket.once('close', () => clearTimeout(cut));
  }
}
