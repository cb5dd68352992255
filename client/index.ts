/**
 * The agent's library: asks the sidecar of this machine to pay.
 *
 * ```js
 * import { AriClient } from 'ari-sidecar';
 * const ari = new AriClient();
 * const payment = await ari.pay({ payee: { id: 'shop' }, amount: { amount: 19900n, currency: 'CNY' }, order: { ref: 'A-1' } }, { idempotencyKey: 'A-1' });
 * ```
 *
 * The sidecar names the process by the kernel: connect from the program that pays. A forked child or a helper that inherits the connection is refused.
 */
import { AGENT_SOCKET, type AgentEvent, agentEvent, type LaunchRequest, launchRequest, type PaymentView, paymentView, SOCKET_FD, statusView, type StatusView } from '../src/agentapi.js';
import { parseJson } from '../src/base/json.js';
import { decode, parse, stringify } from '../src/base/shape.js';
import { paymentRequest } from '../src/objects/intent.js';
import { AriError } from './error.js';
import { readEvents } from './events.js';
import { Transport } from './transport.js';

export { AriError } from './error.js';
export type { AgentEvent, PaymentView, StatusView } from '../src/agentapi.js';

/** A payment to ask for. `amount.amount` counts minor units (199.00 CNY is 19900). `order.terms` is what the payee offered; its hash is signed. */
export interface Purchase {
  payee: { id: string; origin?: string | null; name?: string | null };
  amount: { amount: bigint | number; currency: string };
  order: { ref: string; terms?: unknown };
  scenario?: string | null;
  taskId?: string | null;
  /** Which mandate to pay under; the sidecar chooses when it is left out. */
  mandateId?: string | null;
}

export class AriClient {
  private readonly transport: Transport;

  constructor({ socket = AGENT_SOCKET }: { socket?: string } = {}) {
    this.transport = new Transport(socket, handedOver());
  }

  /**
   * Pays, or asks for a payment that was begun under the same key: one key for each payment, kept for retries. Answers also while the outcome is open: `state` is `confirm_required` when the user
   * must confirm, `outcome_unknown` when nobody knows yet; then ask with {@link payment}, never pay again under another key.
   * @throws AriError when the payment was denied or failed (`payment` is then set) or the request could not be put forward
   */
  async pay(purchase: Purchase, { idempotencyKey }: { idempotencyKey: string }): Promise<PaymentView> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
    return parse(paymentView, await this.transport.ask('POST', '/v1/payments', { headers, body: requestOf(purchase) }), 'payment');
  }

  /** @throws AriError intake.not_found when this agent has no such payment */
  async payment(id: string): Promise<PaymentView> {
    return parse(paymentView, await this.transport.ask('GET', `/v1/payments/${encodeURIComponent(id)}`), 'payment');
  }

  /** The bundle of a payment, `*.ari.json`: all that a stranger needs to check it offline. */
  async bundle(id: string): Promise<string> {
    return this.transport.ask('GET', `/v1/payments/${encodeURIComponent(id)}/bundle`);
  }

  async status(): Promise<StatusView> {
    return parse(statusView, await this.transport.ask('GET', '/v1/status'), 'status');
  }

  /**
   * What happens to this agent's payments and mandates, from now on. Leaving the loop closes the connection.
   * @throws AriError link.sidecar when the sidecar ends
   */
  async *events(): AsyncGenerator<AgentEvent, void, void> {
    const response = await this.transport.open('GET', '/v1/events');
    try {
      for await (const { type, data } of readEvents(response)) yield decode(agentEvent, { type, body: parseJson(data) }, 'event');
    } catch (error) {
      throw this.transport.broken(error);
    } finally {
      response.destroy();
    }
  }

  /** Of `ari run`: says that a waiting process will be this agent. @throws AriError peer.unknown for all but root and the sidecar's user, agent.* when the agent is not as its manifest says */
  async launch(request: LaunchRequest): Promise<void> {
    await this.transport.ask('POST', '/v1/launches', { headers: { 'content-type': 'application/json' }, body: stringify(launchRequest, request) });
  }

  /** Closes idle connections. */
  close(): void {
    this.transport.close();
  }
}

/** The connection that `ari run` made for this agent. It is taken once, and its number not told to children: on it only this process is heard. */
function handedOver(): number | null {
  const text = process.env[SOCKET_FD];
  delete process.env[SOCKET_FD];
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Number(text) : null;
}

/** The wire form of a purchase, checked here with the law that the sidecar applies. @throws AriError intake.malformed */
function requestOf({ payee, amount, order, scenario = null, taskId = null, mandateId = null }: Purchase): string {
  const request = {
    payee: { origin: null, name: null, ...payee },
    amount: { amount: Number(amount.amount), currency: amount.currency },
    order: { terms: null, ...order },
    scenario, task_id: taskId, mandate_id: mandateId,
  };
  try {
    return stringify(paymentRequest, decode(paymentRequest, request, 'purchase'));
  } catch (error) {
    throw AriError.of(error);
  }
}
