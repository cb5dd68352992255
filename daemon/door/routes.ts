/** The routes of the agent's socket. Each is one row: method, path, and what it does for the agent that asks. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fault } from '../../src/base/fault.js';
import { encode, parse } from '../../src/base/shape.js';
import { launchRequest, paymentView, statusView } from '../../src/agentapi.js';
import { BUNDLE_MEDIA_TYPE } from '../../src/objects/bundle.js';
import type { Answered } from '../../src/protocols/index.js';
import type { Launches } from '../launch/launches.js';
import type { Agent, AgentApi, Peer } from '../ports.js';
import { pairsOf } from '../proxy/exchange.js';
import { keyOf, parsePayment, readBody } from './body.js';
import { streamEvents } from './events.js';
import type { Caller } from './caller.js';
import { type Answer, paymentAnswer } from './problem.js';
import type { Rate } from './rate.js';

/** What a route may use. `agent` finds and binds the agent behind the connection, or throws peer.unknown. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly peer: Peer;
  readonly parameters: readonly string[];
  readonly agent: () => Promise<Agent>;
  /** The request has arrived whole: the time for sending it no longer runs. */
  readonly arrived: () => void;
}
export interface Offer {
  readonly api: AgentApi;
  readonly agents: readonly Agent[];
  readonly launches: Launches;
  readonly rate: Rate;
  readonly bodyBytes: number;
  /** A connection of this process. */
  readonly callerOf: (pid: number) => Caller | undefined;
}
/** Null: the route answers by itself. */
type Work = (visit: Visit, offer: Offer) => Promise<Answer | Answered | null>;
interface Route { readonly method: string; readonly path: RegExp; readonly work: Work }

const json = (body: unknown): Answer => ({ status: 200, type: 'application/json', body: JSON.stringify(body) });
const NO_PAYMENT = { what: 'payment of this agent with this id' };

async function pay(visit: Visit, { api, rate, bodyBytes }: Offer): Promise<Answer> {
  const agent = await visit.agent();
  rate.take(agent.id);
  const key = keyOf(visit.request);
  const body = await readBody(visit.request, bodyBytes);
  visit.arrived();
  return paymentAnswer(await api.pay(visit.peer, agent, parsePayment(body), key));
}

async function payment({ agent, parameters: [id = ''] }: Visit, { api }: Offer): Promise<Answer> {
  const view = api.payment(await agent(), id);
  if (view === null) throw fault('intake.not_found', NO_PAYMENT);
  return json(encode(paymentView, view));
}

async function bundle({ agent, parameters: [id = ''] }: Visit, { api }: Offer): Promise<Answer> {
  const body = api.bundle(await agent(), id);
  if (body === null) throw fault('intake.not_found', { what: 'bundle of a payment of this agent with this id' });
  return { status: 200, type: BUNDLE_MEDIA_TYPE, body };
}

/** Root and the sidecar's own user: the operator's tools. */
const isOperator = ({ uid }: Peer): boolean => uid === 0 || uid === process.geteuid?.();

/** Agents see it, and so do the operator's tools. */
async function status({ agent, peer }: Visit, { api }: Offer): Promise<Answer> {
  if (!isOperator(peer)) await agent();
  return json(encode(statusView, api.status()));
}

async function events({ agent, response }: Visit, { api }: Offer): Promise<null> {
  const own = await agent();
  streamEvents(response, (listener) => api.subscribe(own, listener));
  return null;
}

/** A request of another payment protocol, to a payee. */
async function proxied({ agent: find, peer, request, arrived }: Visit, { api, rate, bodyBytes }: Offer): Promise<Answered> {
  const agent = await find();
  const body = await readBody(request, bodyBytes);
  arrived();
  const { method = '', url = '', rawHeaders } = request;
  return api.proxied({ peer, agent, url, request: { method, headers: pairsOf(rawHeaders), body }, admit: () => rate.take(agent.id) });
}

/** A waiting process will be an agent: see {@link Launches}. */
async function launch({ request, peer, arrived }: Visit, { api, agents, launches, callerOf, bodyBytes }: Offer): Promise<Answer> {
  if (!isOperator(peer)) throw fault('peer.unknown', { pid: peer.pid, uid: peer.uid });
  const asked = parse(launchRequest, await readBody(request, bodyBytes), 'launch');
  arrived();
  const [agent, caller] = [agents.find(({ id }) => id === asked.agentId), callerOf(asked.pid)];
  if (agent === undefined || caller === undefined) throw fault('intake.not_found', { what: agent ? 'connection of this process' : 'agent of this name' });
  await api.launched(caller.peer, agent, await launches.begin(agent, caller.peer, asked));
  caller.launched(agent);
  return json({ agent_id: agent.id });
}

const PAYMENT = '(pay_[0-9A-HJKMNP-TV-Z]{26})';
const ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/v1\/payments$/, work: pay },
  { method: 'GET', path: new RegExp(`^/v1/payments/${PAYMENT}$`), work: payment },
  { method: 'GET', path: new RegExp(`^/v1/payments/${PAYMENT}/bundle$`), work: bundle },
  { method: 'GET', path: /^\/v1\/status$/, work: status },
  { method: 'GET', path: /^\/v1\/events$/, work: events },
  { method: 'POST', path: /^\/v1\/launches$/, work: launch },
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => ({ method, path: /^\/x\//, work: proxied })),
];

/** The route of a request with what its path names. @throws Fault intake.not_found, intake.method */
export function routeOf(method: string, url: string): { work: Work; parameters: readonly string[] } {
  const at = ROUTES.filter((route) => route.path.test(url));
  const found = at.find((route) => route.method === method);
  if (found) return { work: found.work, parameters: found.path.exec(url)?.slice(1) ?? [] };
  if (at.length > 0) throw fault('intake.method', { method, path: url.slice(0, 100) });
  throw fault('intake.not_found', { what: 'such route' });
}
