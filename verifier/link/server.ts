/** The WebSocket side of the HTTP server: upgrades on one path and one subprotocol, bounded before the first byte of a message is read. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { LINK_LIMITS, LINK_PATH, LINK_PROTOCOL } from '../../src/link.js';
import type { Verifier } from '../context.js';
import { Connection, type Dispatch } from './connection.js';
import { CONNECTION_LIMITS, type ConnectionLimits } from './limits.js';
import { Room } from './pages.js';

export interface LinkServer { close(): Promise<void> }

const refuseUpgrade = (socket: Duplex, status: string): void => { socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`); };
const offered = (request: IncomingMessage): string[] => (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());

export function serveLink(v: Verifier, server: Server, dispatch: Dispatch, limits: ConnectionLimits = CONNECTION_LIMITS): LinkServer {
  const connections = new Set<Connection>();
  const room = new Room(limits.pageBytes);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: LINK_LIMITS.messageBytes, handleProtocols: () => LINK_PROTOCOL });
  const strangers = (): number => [...connections].filter(({ stage }) => stage.name !== 'proven').length;

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    if (request.url !== LINK_PATH) return refuseUpgrade(socket, '404 Not Found');
    if (!offered(request).includes(LINK_PROTOCOL)) return refuseUpgrade(socket, '400 Bad Request');
    if (strangers() >= limits.strangers) return refuseUpgrade(socket, '503 Service Unavailable');
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const connection = new Connection(v, ws, limits, dispatch, room);
      connections.add(connection);
      ws.once('close', () => connections.delete(connection));
    });
  };
  server.on('upgrade', upgrade);

  return {
    async close() {
      server.off('upgrade', upgrade);
      const working = [...connections].map((connection) => connection.idle());
      for (const socket of sockets.clients) socket.close(1001, 'going away');
      await Promise.all(working);
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}
