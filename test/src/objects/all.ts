/** Every object of the project with its shape and one example: what round-trip tests and golden files run over. */
import type { Shape } from '../../../src/base/shape.js';
import { authorityState, carrier, carrierRequest, carrierRules, userOrder } from '../../../src/objects/carrier.js';
import { agentClaims } from '../../../src/objects/claims.js';
import { userAssertion } from '../../../src/objects/assertion.js';
import { confirmation, decision, policy } from '../../../src/objects/decision.js';
import { deviceRecord } from '../../../src/objects/device.js';
import { ear } from '../../../src/objects/ear.js';
import { merchantEar } from '../../../src/objects/merchant.js';
import { merchantCut } from '../../../attest/verify/merchant.js';
import { binding, evidence, logDelta, paymentEvidence, platformEvidence } from '../../../src/objects/evidence.js';
import { intent } from '../../../src/objects/intent.js';
import { depositLeaf } from '../../../src/objects/leaf.js';
import { closedPayment, keyBinding, mandate, openPayment } from '../../../src/objects/mandate.js';
import { agentManifest } from '../../../src/objects/manifest.js';
import { offlineAllowance, voucher } from '../../../src/objects/allowance.js';
import { executionToken, receipt, refund } from '../../../src/objects/settlement.js';
import { payeeEntry } from '../../../src/objects/payee.js';
import { requestProof, session, sessionTerms } from '../../../src/objects/request.js';
import { userKey } from '../../../src/objects/userkey.js';
import { sha256 } from '../../../src/base/bytes.js';
import { AGENT, SIGNERS } from '../../support/keys.js';
import * as e from '../../support/examples.js';

export interface Sample { name: string; shape: Shape<unknown>; value: unknown }
const sample = <T>(name: string, shape: Shape<T>, value: T): Sample => ({ name, shape: shape as Shape<unknown>, value });
const digest = sha256('example disclosure');

const TERMS = { jti: 'session-1', sub: e.ids.user, iat: e.NOW, exp: e.NOW + 900, jwk: AGENT.jwk };

export const SAMPLES: Sample[] = [
  sample('intent', intent, e.intent),
  sample('agent-manifest', agentManifest, e.manifest),
  sample('mandate', mandate, { ...e.mandate, vct: 'tag:ari.example,2026:mandate:1', delegatePayload: [{ '...': digest }], _sdAlg: 'sha-256' }),
  sample('open-payment', openPayment, e.openPayment),
  sample('closed-payment', closedPayment, e.closedPayment),
  sample('key-binding', keyBinding, { iat: e.NOW, aud: e.VERIFIER, nonce: e.NONCE, sdHash: digest, _sdAlg: 'sha-256', delegatePayload: [{ '...': digest }] }),
  sample('carrier', carrier, e.carrier),
  sample('carrier-rules', carrierRules, e.rules),
  sample('carrier-request', carrierRequest, e.carrierRequest),
  sample('user-order', userOrder, e.userOrder),
  sample('payee-entry', payeeEntry, { iss: 'https://carrier.example', iat: e.NOW, payeeId: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }),
  sample('user-key', userKey, { iss: e.VERIFIER, iat: e.NOW, sub: e.ids.user, kid: SIGNERS.user.kid, jwk: SIGNERS.user.jwk }),
  sample('request-proof', requestProof, { sub: e.ids.user, jti: 'request-1', iat: e.NOW, exp: e.NOW + 60, htm: 'GET', htu: 'https://verifier.example/v1/payment/payments?state=confirm_required', bodySha256: null }),
  sample('session-terms', sessionTerms, TERMS),
  sample('session', session, { iss: e.VERIFIER, kid: SIGNERS.user.kid, terms: TERMS }),
  sample('authority-state', authorityState, e.state),
  sample('binding', binding, e.binding),
  sample('agent-claims', agentClaims, e.claims),
  sample('log-delta', logDelta, e.log),
  sample('platform-evidence', platformEvidence, e.platform),
  sample('payment-evidence', paymentEvidence, e.payment),
  sample('evidence', evidence, e.evidence),
  sample('device-record', deviceRecord, e.device),
  sample('ear', ear, e.ear),
  sample('merchant-ear', merchantEar, merchantCut(e.ear, { aud: 'https://flowers.example', jti: 'evt_01JD0000000000000000000009' })),
  sample('policy', policy, e.policy),
  sample('decision', decision, e.decision),
  sample('confirmation', confirmation, e.confirmation),
  sample('user-assertion', userAssertion, { kid: `k-${digest}`, rpId: 'pay.example', clientData: 'e30', authenticatorData: 'AAAA', signature: 'MAA' }),
  sample('execution-token', executionToken, e.execution),
  sample('receipt', receipt, e.receipt),
  sample('refund', refund, e.refund),
  sample('offline-allowance', offlineAllowance, e.offline),
  sample('voucher', voucher, { v: 'ari-voucher-1', intent: e.intent, allowance: e.someToken, device: e.someToken, closedMandate: e.someToken, binding: e.binding, batch: e.payment.batch, register: e.payment.register!, counter: e.payment.register! }),
  sample('leaf-decision', depositLeaf, e.decisionLeaf),
  sample('leaf-result', depositLeaf, e.resultLeaf),
  sample('leaf-event', depositLeaf, e.eventLeaf),
];
