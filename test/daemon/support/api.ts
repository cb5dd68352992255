/** What stands behind the door in its tests: records who asked for what, settles every payment but those to `denied`. */
import { EventEmitter } from 'node:events';
import type { AgentEvent, PaymentView } from '../../../src/agentapi.js';
import type { AgentApi, Peer } from '../../../daemon/ports.js';
import type { PaymentRequest } from '../../../src/objects/intent.js';

export interface Asked { pid: number; agentId: string; request: PaymentRequest; key: string }

export const OWN = 'pay_00000000000000000000000001';
export const silentLog = { info: () => undefined, warn: () => undefined };

export const viewOf = (request: Pick<PaymentRequest, 'amount' | 'payee'>): PaymentView => {
  const denied = request.payee.id === 'denied';
  return {
    paymentId: OWN, state: denied ? 'denied' : 'settled', decision: denied ? 'deny' : 'permit', code: denied ? 'carrier.payee' : null, message: denied ? 'payee denied is not permitted' : null,
    amount: request.amount, payee: request.payee, attempt: 1, tier: 'T2', execution: null, receipt: null, confirmUrl: null, ms: { measure: 1.5 },
  };
};

const OWN_VIEW = viewOf({ amount: { amount: 1n, currency: 'CNY' }, payee: { id: 'shop', origin: null, name: null } });

export function recordingApi(during: (peer: Peer) => Promise<void> = () => Promise.resolve()) {
  const events = new EventEmitter();
  const record = { asked: [] as Asked[], begun: 0, failures: [] as unknown[], emit: (event: AgentEvent) => events.emit('event', event), listeners: () => events.listenerCount('event') };
  const api: AgentApi = {
    met: () => Promise.resolve(),
    launched: () => Promise.resolve(),
    async pay(peer, agent, request, key) {
      record.begun++;
      await during(peer).catch((error: unknown) => {
        record.failures.push(error);
        throw error;
      });
      record.asked.push({ pid: peer.pid, agentId: agent.id, request, key });
      return viewOf(request);
    },
    proxied: () => Promise.resolve({ status: 200, headers: [], body: Buffer.alloc(0) }),
    payment: (_, id) => (id === OWN ? OWN_VIEW : null),
    bundle: (_, id) => (id === OWN ? '{"v":"bundle"}' : null),
    status: () => ({
      version: '0.1.0', tier: 'T2', reason: null, deviceId: null, verifier: { url: 'wss://verifier.example', connected: true }, tpm: { channel: 'device:/dev/tpmrm0', state: 'ready' }, agents: [], payments: { settled: 2 },
    }),
    subscribe(_, listener) {
      events.on('event', listener);
      return () => { events.off('event', listener); };
    },
  };
  return Object.assign(record, { api });
}
