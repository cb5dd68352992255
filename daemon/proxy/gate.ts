/**
 * The gate: a request that pays waits here until the payee's own terms were read, proven, decided on and deposited. Then its bytes go on as they came,
 * with the payment in a header. The payee is not called with it before that, and not at all when the answer is no.
 */
import { sha256, type Sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { idempotencyKey } from '../../src/agentapi.js';
import { decode } from '../../src/base/shape.js';
import { type Answered, type Asked, assertSealed, type Paying, PROFILE_PATH, stillStands, type Target, type Terms } from '../../src/protocols/index.js';
import type { Agent, Ordered, PayeeOrder, Peer } from '../ports.js';
import { endToEnd } from './exchange.js';

/** Headers under which a payee would answer with less than the whole, or in another coding. */
const PARTIAL = /^(?:if-.*|range|accept-encoding)$/;
/** How long what is reserved waits for the payee's capture, s. It captures while it answers. */
const HOLD_S = 600;

export interface Gate {
  readonly ask: (target: Target, asked: Asked) => Promise<Answered>;
  /** Pays an order as any other payment is paid. @throws Fault terms.not_ready, settle.amount_changed beside those of a payment */
  readonly order: (peer: Peer, agent: Agent, order: PayeeOrder, key: string) => Promise<Ordered>;
  /** The one payee at an origin that the agent's mandates name. @throws Fault payee.origin */
  readonly payeeAt: (agent: Agent, origin: string) => PayeeOrder['payee'];
  readonly nowMs: () => number;
}
export interface Visitor { readonly peer: Peer; readonly agent: Agent; /** Of the agent's mandates, when it names them. */ readonly taskId: string | null; readonly mandateId: string | null }

/** What came of it: the payee's answer, or a payment that is not permitted (yet). */
export type Passed = { readonly answer: Answered; readonly ordered: Ordered | null } | { readonly answer: null; readonly ordered: Ordered };

/** @throws Fault intake.*, terms.*, payee.*, money.*, settle.amount_changed, and those of a payment */
export async function pass(target: Target, request: Asked, paying: Paying, visitor: Visitor, gate: Gate): Promise<Passed> {
  const look = await lookAt(target, request, paying, gate);
  if (look.terms === null) return { answer: look.answer, ordered: null };
  const ordered = await gate.order(visitor.peer, visitor.agent, orderOf(target, request, look.terms, visitor, gate), keyOf(target, request, paying));
  if (ordered.presented === null) return { answer: null, ordered };
  const now = await lookAt(target, request, paying, gate);
  if (now.terms === null || !stillStands(ordered.agreed, now.terms)) throw fault('settle.amount_changed');
  visitor.peer.stillThere();
  const carried = paying.carry(ordered.presented);
  const headers = [...endToEnd(request.headers).filter(([name]) => !carried.some(([own]) => own === name)), ...carried];
  return { answer: await gate.ask(target, { ...request, headers }), ordered };
}

interface Look { readonly terms: (Terms & { readonly isSealed: boolean }) | null; readonly answer: Answered }

/** The payee's terms at this moment, and whether it has signed them. */
async function lookAt(target: Target, request: Asked, { look, terms: read }: Paying, { ask }: Gate): Promise<Look> {
  const headers = endToEnd(request.headers).filter(([name]) => !look.without.includes(name) && !PARTIAL.test(name));
  const answer = await ask(target, { method: look.method, path: look.path, headers, body: look.withBody ? request.body : Buffer.alloc(0) });
  const terms = read(answer);
  if (terms === null) return { terms, answer };
  if (terms.seal !== null) {
    const profile = await ask(target, { method: 'GET', path: PROFILE_PATH, headers: [['accept', 'application/json']], body: Buffer.alloc(0) });
    if (profile.status !== 200) throw fault('terms.unsigned', { what: `the profile of the payee answers ${profile.status}` });
    assertSealed(terms.seal, profile.body);
  }
  return { terms: { ...terms, isSealed: terms.seal !== null }, answer };
}

/** One key for one payment, whatever the protocol calls it: of this agent (the book keeps them apart), at this payee. @throws Fault intake.idempotency_missing */
export function keyOf({ protocol, origin }: Target, { method }: Asked, { idempotencyKey: said }: Paying): string {
  if (said === null) throw fault('intake.idempotency_missing');
  return `x-${sha256(`ari-proxy\0${protocol}\0${origin}\0${method}\0${decode(idempotencyKey, said, 'Idempotency-Key')}`)}`;
}

function orderOf({ protocol, origin }: Target, { method, path, body }: Asked, terms: NonNullable<Look['terms']>, { agent, taskId, mandateId }: Visitor, { payeeAt, nowMs }: Gate): PayeeOrder {
  const nowS = Math.floor(nowMs() / 1000);
  const request = { method, url: `${origin}${path}`, bodySha256: sha256(body) };
  return {
    protocol, grade: terms.isSealed ? 'A' : 'B', payee: payeeAt(agent, origin), amount: terms.amount, ref: terms.ref.slice(0, 256), termsSha256: terms.sha256, isReady: terms.state === 'ready',
    request, requestSha256: requestHash(protocol, request), captureUntil: nowS + HOLD_S, expiresAt: terms.expiresAt, taskId, mandateId,
  };
}

/** What makes a repeated key the same request: what the agent sent, not what the payee made of it meanwhile. */
const requestHash = (protocol: string, { method, url, bodySha256 }: PayeeOrder['request']): Sha256 => sha256(`ari-request\0${protocol}\0${method}\0${url}\0${bodySha256}`);
