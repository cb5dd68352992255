/** A session ends when it is told to, whatever its verifier does. Over the real link; the verifier is one that says nothing. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Session } from '../../../daemon/link/session.js';
import { connectLink } from '../../../daemon/link/socket.js';
import { LINK_PROTOCOL } from '../../../src/link.js';
import type { Prover } from '../../../daemon/tpm/types.js';
import { silentLog } from '../support/api.js';

const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Takes a connection when it is told to (RFC 6455, section 4.2.2), and answers nothing ever after, not even a close. */
class SilentVerifier {
  readonly server: Server;
  private readonly sockets: Socket[] = [];

  constructor() {
    this.server = createServer((socket) => { this.sockets.push(socket.on('error', () => undefined)); }).listen(0, '127.0.0.1');
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The connection that waits to be taken, and what takes it. */
  async asked(): Promise<() => void> {
    if (this.sockets.length === 0) await once(this.server, 'connection');
    const socket = this.sockets[0] as Socket;
    const [request] = await once(socket, 'data') as [Buffer];
    const key = /sec-websocket-key: (\S+)/i.exec(request.toString())?.[1] ?? '';
    const accept = createHash('sha1').update(key + ACCEPT).digest('base64');
    return () => { socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: ${LINK_PROTOCOL}\r\n\r\n`); };
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

describe('a session that is stopped', () => {
  let verifier: SilentVerifier;
  afterEach(() => verifier.close());

  const begin = (): { session: Session; running: Promise<void> } => {
    verifier = new SilentVerifier();
    const session = new Session({
      prover: { akName: null } as Prover, log: silentLog, aud: 'verifier', connect: (onMessage) => connectLink(verifier.url, undefined, onMessage),
      hello: () => Promise.resolve({ build: 'test', akName: null, tier: 'T0', reason: null, agents: [] }), manifest: () => undefined,
      openPolicy: () => { throw new Error('no policy comes'); }, enrolCode: () => null, usedEnrolCode: () => undefined, onMessage: () => undefined, onReady: () => undefined,
    });
    return { session, running: session.run() };
  };

  it('while it connects greets nobody any more', async () => {
    const { session, running } = begin();
    const take = await verifier.asked();
    session.stop();
    take();
    await running;
    expect(session.isDown).toBe(true);
  }, 4_000);

  it('does not wait for a verifier that answers no close', async () => {
    const { session, running } = begin();
    (await verifier.asked())();
    await expect.poll(() => session.isDown).toBe(false);
    session.stop();
    await running;
    expect(session.state).toBe('offline');
  }, 4_000);
});
