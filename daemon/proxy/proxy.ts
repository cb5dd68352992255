/**
 * The proxy for payment protocols, `/x/{protocol}/{host}/{path}`: what does not pay goes to the payee and back byte for byte, what pays goes through the
 * gate. Only payees that the agent's mandates name are reached: the sidecar is nobody's way into a network.
 */
import { asFault, type Fault, fault } from '../../src/base/fault.js';
import { encode } from '../../src/base/shape.js';
import { paymentView } from '../../src/agentapi.js';
import { CODES } from '../../src/codes.js';
import { answerIn, type Answered, type Asked, headerOf, payingOf, type Refused, type Target, targetOf } from '../../src/protocols/index.js';
import type { AgentApi, Ordered } from '../ports.js';
import { endToEnd, exchange, type Way } from './exchange.js';
import { type Gate, keyOf, pass, type Visitor } from './gate.js';

/** Ways to say another method than the one that was judged. */
const OVERRIDES = ['x-http-method', 'x-http-method-override', 'x-method-override'];
/** In which the agent names its task and mandate, as a native request does in its body. They go no further. */
const NAMES = { task: 'ari-task', mandate: 'ari-mandate' };

export function openProxy(paying: Pick<Gate, 'order' | 'payeeAt'>, way: Way, tell: (error: unknown, pid: number) => void): AgentApi['proxied'] {
  const gate: Gate = { ...paying, ask: (target, asked) => exchange(target, asked, way), nowMs: Date.now };
  const atWork = new Set<string>();
  return async ({ peer, agent, url, request: { method, headers, body }, admit }) => {
    const target = targetOf(url);
    try {
      const request: Asked = { method, path: target.path, headers, body };
      gate.payeeAt(agent, target.origin);
      if (headers.some(([name]) => OVERRIDES.includes(name))) throw fault('intake.target', { what: 'a header names another method' });
      const payment = payingOf(target, request);
      if (payment === null) return forwarded(await gate.ask(target, { ...request, headers: endToEnd(headers) }), null);
      admit();
      const visitor: Visitor = { peer, agent, taskId: headerOf(request, NAMES.task), mandateId: headerOf(request, NAMES.mandate) };
      return await alone(atWork, `${agent.id} ${keyOf(target, request, payment)}`, async () => {
        const { answer, ordered } = await pass(target, request, payment, visitor, gate);
        return answer === null ? notPermitted(target, ordered) : forwarded(answer, ordered);
      });
    } catch (error) {
      tell(error, peer.pid);
      return refused(target, asFault(error));
    }
  };
}

/** One request of a key at a time: another one could reach the payee before the first is decided. @throws Fault intake.in_flight */
async function alone<T>(atWork: Set<string>, key: string, work: () => Promise<T>): Promise<T> {
  if (atWork.has(key)) throw fault('intake.in_flight');
  atWork.add(key);
  try {
    return await work();
  } finally {
    atWork.delete(key);
  }
}

const forwarded = ({ status, headers, body }: Answered, ordered: Ordered | null): Answered =>
  ({ status, headers: [...endToEnd(headers), ...(ordered === null ? [] : [['ari-payment-id', ordered.view.paymentId] as const])], body });

/** The decision in the protocol's words, and the whole of it in `ARI-Problem`. */
function notPermitted(target: Target, { view }: Ordered): Answered {
  const code = view.code ?? (view.state === 'confirm_required' ? 'decision.confirm_needed' : 'settle.outcome_unknown');
  const { status, fix } = CODES[code];
  const message = view.message ?? `the payment is ${view.state}`;
  const problem = { type: `tag:ari.example,2026:code/${code}`, title: code, status, detail: message, code, fix, payment: encode(paymentView, { ...view, execution: null, receipt: null }) };
  return inDialect(target, { code, status, message, waits: view.state === 'confirm_required' }, problem);
}

function refused(target: Target, error: Fault): Answered {
  return inDialect(target, { code: error.code, status: error.status, message: error.message, waits: false }, error.problem());
}

function inDialect({ protocol }: Target, said: Refused, problem: object): Answered {
  const { status, headers, body } = answerIn(protocol, said);
  return { status, headers: [['content-type', 'application/json'], ['ari-problem', ascii(JSON.stringify(problem))], ...headers], body: Buffer.from(body) };
}

/** JSON in the letters that a header may hold. */
const ascii = (json: string): string => json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
