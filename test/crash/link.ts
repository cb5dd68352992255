/** A way between sidecar and verifier on which one message can be waited for: at that moment something is killed, and the message goes on or is lost. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { LINK_PATH, LINK_PROTOCOL, type LinkType } from '../../src/link.js';

export interface Moment { type: LinkType; from: 'sidecar' | 'verifier'; /** The message arrives all the same. */ goesOn: boolean; kill: () => void }

interface Carried { type: string; body: { payment_id?: string } }

/** What tells of a payment more than once: when the sidecar asks what became of one, the answers are of these. */
const TOLD_AGAIN = ['decision', 'execution'];

export class Wire {
  private moment: Moment | null = null;
  /** Payments that were spoken of before the moment was waited for: it is not theirs. */
  private earlier: ReadonlySet<string> = new Set();
  private readonly payments = new Set<string>();
  private passed: (() => void) | null = null;
  private readonly server: WebSocketServer;

  private constructor(server: WebSocketServer, target: () => string) {
    this.server = server;
    server.on('connection', (near) => this.join(near, target()));
  }

  /** `target`: the verifier's address. */
  static async open(target: () => string): Promise<Wire> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: LINK_PATH, perMessageDeflate: false });
    await once(server, 'listening');
    return new Wire(server, target);
  }

  get url(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }

  /** Resolves when the moment has come. */
  at(moment: Moment): Promise<void> {
    this.moment = moment;
    this.earlier = new Set(this.payments);
    return new Promise((done) => { this.passed = done; });
  }

  close(): void {
    for (const client of this.server.clients) client.terminate();
    this.server.close();
  }

  private join(near: WebSocket, target: string): void {
    const far = new WebSocket(new URL(LINK_PATH, target.replace('http', 'ws')), LINK_PROTOCOL, { perMessageDeflate: false });
    const early: string[] = [];
    far.on('open', () => { for (const text of early.splice(0)) far.send(text); });
    this.carry(near, 'sidecar', (text) => { if (far.readyState === WebSocket.OPEN) far.send(text); else early.push(text); });
    this.carry(far, 'verifier', (text) => near.send(text));
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.on('close', () => other.terminate());
      one.on('error', () => other.terminate());
    }
  }

  private carry(socket: WebSocket, from: Moment['from'], send: (text: string) => void): void {
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      const { moment } = this;
      const { type, body: { payment_id: paymentId } } = JSON.parse(text) as Carried;
      if (paymentId !== undefined) this.payments.add(paymentId);
      const isRepeat = paymentId !== undefined && TOLD_AGAIN.includes(type) && this.earlier.has(paymentId);
      if (moment?.from !== from || type !== moment.type || isRepeat) return send(text);
      this.moment = null;
      if (moment.goesOn) send(text);
      moment.kill();
      this.passed?.();
    });
  }
}
