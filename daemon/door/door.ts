/**
 * The one entrance for agents: HTTP on a unix socket. There is no network port, because only a unix socket has a peer that the kernel names.
 * Every request is of a process that was identified when it connected, that alone speaks on the connection, and that is still the same program.
 * Everyone who can open the socket may be hostile: whatever they send is answered with a code, and nothing of it ends the sidecar.
 */
import { createServer as createHttp } from 'node:http';
import { createServer as createSocket, type Server, type Socket } from 'node:net';
import { asFault, Fault, fault } from '../../src/base/fault.js';
import type { Agent, AgentApi, Peer } from '../ports.js';
import type { Launches } from '../launch/launches.js';
import type { Log } from '../tpm/types.js';
import { resolveAgent } from './agents.js';
import { Caller } from './caller.js';
import { listenAt } from './listen.js';
import { identify } from './peer.js';
import { problemResponse } from './problem.js';
import { Rate } from './rate.js';
import type { Offer } from './routes.js';
import { HEADER_BYTES, refuseStream, serve, tell } from './serve.js';
import type { SpokenStream } from './spoken.js';

export interface DoorOptions {
  /** Path of the socket. */
  readonly socket: string;
  readonly agents: readonly Agent[];
  readonly launches: Launches;
  readonly api: AgentApi;
  readonly limits: { readonly bodyBytes: number; readonly paymentsPerMinute: number };
  readonly log: Log;
}
export interface Door { close(): Promise<void> }

/** Together, and for one user: none may keep the others out. */
const CONNECTIONS = 256;
const CONNECTIONS_OF_USER = 64;

/** @throws Fault config.invalid (the socket path), peer.unidentified (native calls cannot be made here) */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { api, limits, log } = options;
  const callers = new Map<unknown, Caller>();
  const offer: Offer = {
    api, agents: options.agents, launches: options.launches, rate: new Rate(limits.paymentsPerMinute, Date.now), bodyBytes: limits.bodyBytes,
    callerOf: (pid) => [...callers.values()].find((caller) => caller.peer.pid === pid),
  };
  const http = createHttp({ maxHeaderSize: HEADER_BYTES, keepAliveTimeout: 0 });
  http.on('request', (request, response) => {
    const caller = callers.get(request.socket);
    if (caller) void serve(caller, request, response, offer, log);
  });
  http.on('clientError', (error, stream) => refuseStream(error, stream as unknown as SpokenStream));
  const server = createSocket({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    const caller = greet(socket, callers, options);
    if (caller === null) return;
    callers.set(caller.stream, caller);
    caller.stream.once('close', () => callers.delete(caller.stream)).on('error', (error) => {
      if (error instanceof Fault) tell(log, error, caller.peer.pid);
    });
    http.emit('connection', caller.stream);
  });
  server.maxConnections = CONNECTIONS;
  await listenAt(server, options.socket);
  return { close: () => closeDoor(server, callers) };
}

/** Identifies the process before a byte of it is read; null for one that cannot be, which is told why. */
function greet(socket: Socket, callers: ReadonlyMap<unknown, Caller>, { agents, launches, api, log }: DoorOptions): Caller | null {
  let peer: Peer | null = null;
  try {
    peer = identify(socket);
    const { uid } = peer;
    const open = [...callers.values()].filter((caller) => caller.peer.uid === uid).length;
    if (open >= CONNECTIONS_OF_USER) throw fault('intake.connections', { uid, max: CONNECTIONS_OF_USER });
    return new Caller(socket, peer, async (one) => {
      const agent = launches.of(one)?.agent ?? await resolveAgent(one, agents);
      await api.met(one, agent);
      return agent;
    });
  } catch (error) {
    peer?.close();
    tell(log, error, peer?.pid ?? 0);
    socket.on('error', () => socket.destroy());
    socket.end(problemResponse(asFault(error)));
    socket.destroySoon();
    return null;
  }
}

async function closeDoor(server: Server, callers: Map<unknown, Caller>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await Promise.all([...callers.values()].map((caller) => caller.finish()));
  await closed;
}
