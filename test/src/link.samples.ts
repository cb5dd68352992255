/** One example of every message between sidecar and verifier. */
import { type DeviceMessage, type LinkBody, type LinkType, type VerifierMessage, deviceMessage, verifierMessage } from '../../src/link.js';
import type { Shape } from '../../src/base/shape.js';
import { toB64u } from '../../src/base/bytes.js';
import * as e from '../support/examples.js';
import { AGENT } from '../support/keys.js';

const bytes = toB64u(Buffer.from('example'));
const hex = (count: number): string => 'ab'.repeat(count);
const { someToken: token } = e;

export const FROM_DEVICE: { [T in DeviceMessage['type']]: LinkBody<T> } = {
  hello: { build: 'ari-sidecar 0.1.0', akName: hex(34), tier: 'T2', reason: 'no counter', agents: [{ agentId: 'example.shopper', manifestSha256: e.NONCE, jwk: AGENT.jwk }] },
  enrol_begin: { code: 'ABCD-EFGH', ekCertificate: bytes, ekChain: [bytes], ekPublic: bytes, akPublic: bytes, registerPublic: bytes, counterPublic: null, provider: { publicArea: bytes, certificate: bytes, chain: [bytes] } },
  enrol_proof: { sessionId: 'session-1', answer: e.NONCE, certify: { attest: bytes, signature: bytes }, evidence: e.platform, log: e.log },
  platform: { evidence: e.platform, log: e.log },
  payment: { paymentId: e.ids.payment, attempt: 1, intent: e.intent, mandate: token, closedMandate: token, evidence: e.payment, findings: [{ code: 'carrier.payee', message: 'payee x is not permitted' }] },
  refusal: { paymentId: e.ids.payment, intent: e.intent, code: 'peer.gone', message: 'process 1 ended while it was being measured' },
  offline: { paymentId: e.ids.payment, allowance: token, intent: e.intent, mandate: token, closedMandate: token, evidence: e.payment, platform: e.platform },
  allowance_return: {},
  allowance_ask: { mandateId: e.ids.mandate },
  log_append: { log: e.log },
  ima_append: { from: 7, data: bytes },
  manifest: { manifestSha256: e.NONCE, size: 4_000_000, from: 1_048_576, text: 'eyJhbGciOi' },
  settle_query: { paymentId: e.ids.payment },
  ack: {},
};

export const FROM_VERIFIER: { [T in VerifierMessage['type']]: LinkBody<T> } = {
  nonces: { purpose: 'payment', nonces: [{ nonce: e.NONCE, expiresMs: e.NOW * 1000 }] },
  enrol_challenge: { sessionId: 'session-1', credentialBlob: bytes, encryptedSecret: bytes, nonce: e.NONCE },
  welcome: { deviceId: e.ids.device, device: token, aud: e.VERIFIER, nowMs: e.NOW * 1000, simulated: true, tier: 'T2', manifests: [e.NONCE] },
  policy: { policy: token },
  mandates: { mandates: [{ mandate: token, carrier: token, state: 'valid' }], userKeys: [token] },
  decision: { paymentId: e.ids.payment, attempt: 1, state: 'permitted', decision: token, ear: token, carrier: token, revisions: [token], policy: token, authority: e.state, confirmation: null, userKeys: [token], userAssertion: null, leaf: '{}', proof: 'c2sp.org/tlog-proof@v1\n' },
  execution: { paymentId: e.ids.payment, state: 'settled', execution: token, receipt: token, leaf: '{}', proof: 'c2sp.org/tlog-proof@v1\n' },
  allowance: { allowance: token },
  confirmed: { paymentId: e.ids.payment, confirmation: token },
  ima: { entries: 7, bytes: 900 },
  revoked: { subject: e.ids.mandate, state: 'revoked' },
  error: { code: 'link.protocol', message: 'the peer broke the link protocol: x' },
  ack: {},
};

const message = (type: LinkType, body: unknown) => ({ v: 1, id: '01JD0000000000000000000000', re: '01JD0000000000000000000001', type, body });
const samples = (from: string, shape: Shape<unknown>, bodies: object) => Object.entries(bodies).map(([type, body]) => ({ name: `link-${from}-${type}`, shape, value: message(type as LinkType, body) }));

export const LINK_SAMPLES = [
  ...samples('device', deviceMessage as Shape<unknown>, FROM_DEVICE),
  ...samples('verifier', verifierMessage as Shape<unknown>, FROM_VERIFIER),
];
