/** One valid example of every object, from fixed keys and fixed times: what golden files record and what tests vary. */
import { sha256, toB64u } from '../../src/base/bytes.js';
import { thumbprint } from '../../src/base/jws.js';
import { type AuthorityState, type Carrier, type CarrierRequest, type CarrierRules, type UserOrder, rulesHash } from '../../src/objects/carrier.js';
import { type AgentClaims, agentHash } from '../../src/objects/claims.js';
import type { Confirmation, Decision, Policy } from '../../src/objects/decision.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import { EAR_PROFILE, type Ear } from '../../src/objects/ear.js';
import { type Binding, EVIDENCE_PROFILE, type Evidence, type LogDelta, type PaymentEvidence, type PlatformEvidence, platformHash } from '../../src/objects/evidence.js';
import { type Intent, paymentHash } from '../../src/objects/intent.js';
import type { DecisionLeaf, EventLeaf, ResultLeaf } from '../../src/objects/leaf.js';
import { CARRIER_INSTRUMENT, CLOSED_PAYMENT_VCT, type ClosedPayment, type Mandate, OPEN_PAYMENT_VCT, type OpenPayment } from '../../src/objects/mandate.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import type { OfflineAllowance } from '../../src/objects/allowance.js';
import type { ExecutionToken, Receipt, Refund } from '../../src/objects/settlement.js';
import { closeMandate, issueMandate } from '../../src/sdjwt/index.js';
import { AGENT, SIGNERS } from './keys.js';

/** Seconds since 1970 at which everything below happens. */
export const NOW = 1_795_000_000;
const ULID = '01JD0000000000000000000000';
export const ids = { device: `dev_${ULID}`, user: `usr_${ULID}`, mandate: `mnd_${ULID}`, carrier: `crr_${ULID}`, payment: `pay_${ULID}`, token: `tok_${ULID}`, reservation: `rsv_${ULID}`, receipt: `rcp_${ULID}`, confirmation: `cnf_${ULID}` };
export const SALT = new Uint8Array(16).fill(7);
const salt = toB64u(SALT);
const digestOf = (name: string) => sha256(`example ${name}`);
const hex = (bytes: number, byte = 'ab') => byte.repeat(bytes);

export const VERIFIER = 'https://verifier.example';
export const NONCE = digestOf('nonce');

export const manifest: AgentManifest = {
  jti: 'manifest-1', iss: 'publisher.example', iat: NOW - 1000,
  agent: { id: 'example.shopper', version: '1.0.0', publisher: 'publisher.example' },
  files: [{ path: 'shopper.mjs', sha256: digestOf('shopper.mjs') }],
  interpreters: [{ path: '/usr/bin/node', sha256: digestOf('node') }],
  mappings: [{ path: '/lib/libc.so.6', sha256: digestOf('libc') }],
  config: { prompts: [{ path: 'prompt.md', sha256: digestOf('prompt') }], models: [], tools: [], skills: [] },
  launch: { entry: 'shopper.mjs', runtime: 'node', allowAnonymousCode: true },
};
export const manifestSha256 = digestOf('manifest token');

export const rules: CarrierRules = {
  salt, perPaymentMax: 20_000n, totalMax: 100_000n, windows: [{ period: 'P1D', max: 60_000n, count: 5 }],
  scenarios: ['gift.flowers', 'food.delivery'], payees: [{ id: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }],
  notBefore: NOW - 1000, notAfter: NOW + 86_400, hours: null, levels: ['L0', 'L1', 'L2', 'L3', 'L4', 'L5'], minTier: 'T1', confirmAbove: 15_000n, offline: null,
};
export const carrier: Carrier = {
  iss: 'https://carrier.example', jti: ids.carrier, sub: ids.user, iat: NOW - 1000, nbf: NOW - 1000, exp: NOW + 86_400, rev: 3, currency: 'CNY', rules, agents: ['example.shopper'], state: 'active',
};
export const carrierRequest: CarrierRequest = { jti: ids.carrier, sub: ids.user, iat: NOW, exp: NOW + 600, rev: 3, currency: 'CNY', rules, agents: ['example.shopper'] };
export const userOrder: UserOrder = { jti: 'order-1', sub: ids.user, iat: NOW, exp: NOW + 600, action: 'freeze', subject: ids.carrier };
export const state: AuthorityState = {
  carrier: { carrierId: ids.carrier, rev: 3, state: 'active', stateSeq: 17, totalMax: 100_000n, available: 80_000n, reserved: 0n, spent: 20_000n },
  mandate: { mandateId: ids.mandate, state: 'valid', uses: 0 },
  windows: [{ spent: 20_000n, count: 1 }],
  scenario: 'gift.flowers',
};

export type MandateDraft = Omit<Mandate, 'vct' | 'delegatePayload' | '_sdAlg'>;
export const mandate: MandateDraft = {
  iss: 'wallet.example', jti: ids.mandate, sub: ids.user, iat: NOW - 100, nbf: NOW - 100, exp: NOW + 3600, cnf: { jwk: AGENT.jwk },
  agent: { id: 'example.shopper', version: '1.0.0', manifestSha256 }, level: 'L3', mode: 'delegated',
  task: { id: 'task-1', summary: 'a bouquet for a friend, at most 200 yuan', textSha256: digestOf('task text'), maxPayments: 1 },
  carrier: { id: ids.carrier, rulesSha256: rulesHash(rules) },
};
export const openPayment: OpenPayment = {
  vct: OPEN_PAYMENT_VCT, cnf: { jwk: AGENT.jwk }, iat: NOW - 100, exp: NOW + 3600,
  constraints: [
    { type: 'payment.amount_range', currency: 'CNY', max: 20_000n },
    { type: 'payment.allowed_payees', allowed: [{ id: 'merchant_1', name: 'Demo Flowers', website: 'https://flowers.example' }] },
    { type: 'payment.allowed_payment_instruments', allowed: [{ id: ids.carrier, type: CARRIER_INSTRUMENT }] },
    { type: 'payment.execution_date', not_before: '2026-11-01T00:00:00Z', not_after: '2026-12-31T00:00:00Z' },
    { type: 'payment.reference', conditional_transaction_id: digestOf('task text') },
  ],
};

export const intent: Intent = {
  v: 'ari-intent-1', salt, protocol: 'native', payee: { id: 'merchant_1', origin: 'https://flowers.example', name: 'Demo Flowers' }, amount: { amount: 9900n, currency: 'CNY' },
  bound: 'exact', grade: 'C', scenario: 'gift.flowers', order: { ref: 'order-1', termsSha256: digestOf('terms') }, request: null, taskId: 'task-1', carrierId: ids.carrier,
  captureUntil: null, idempotencyKey: 'key-1', expiresAt: NOW + 300,
};

/** The closed payment that belongs to an intent. */
export const closedFor = (of: Intent): ClosedPayment => ({
  vct: CLOSED_PAYMENT_VCT, transactionId: of.order.termsSha256, payee: { id: of.payee.id, name: of.payee.name ?? of.payee.id, ...(of.payee.origin === null ? {} : { website: of.payee.origin }) },
  paymentAmount: of.amount, paymentInstrument: { id: of.carrierId ?? ids.carrier, type: CARRIER_INSTRUMENT }, riskData: { ari: { paymentSha256: paymentHash(of) } }, iat: NOW, exp: NOW + 60,
});
export const closedPayment = closedFor(intent);

/** Tokens are signed anew in each run (ES256 is randomised); what hashes them below uses fixed stand-ins. */
export const mandateToken = issueMandate(mandate, openPayment, SIGNERS.user, SALT);
export const closedToken = closeMandate({ mandateToken, closed: closedPayment, aud: VERIFIER, nonce: NONCE, iat: NOW }, AGENT, SALT);

export const claims: AgentClaims = {
  v: 'ari-agent-1', agentId: 'example.shopper', manifestSha256, mode: 'attach', exe: { path: '/usr/bin/node', sha256: digestOf('node'), replaced: false },
  tree: { files: 2, sha256: digestOf('tree'), drift: [{ path: 'prompt.md', kind: 'changed', sha256: digestOf('other prompt') }], changedSinceStart: ['lib/tool.js'] },
  mappings: [{ path: '/lib/libc.so.6', sha256: digestOf('libc'), deleted: false }], injection: { tracerPid: 0, anonymousCode: 3, inspector: false, patchedPages: 0, riskyEnv: ['NODE_OPTIONS'], earlier: ['agent.inspector'] },
  process: { uid: 1000, gid: 1000, startTicks: '123456', noNewPrivs: true, seccomp: 2, capEff: hex(8, '00'), capBnd: hex(8, '00'), unit: 'shopper.service', cgroup: digestOf('cgroup'), namespaces: digestOf('namespaces'), envNames: ['HOME', 'NODE_OPTIONS'] },
  kernel: { tainted: 0, lockdown: 'integrity', ptraceScope: 1, signedModules: null },
};
export const log: LogDelta = { epoch: digestOf('epoch'), from: 0, entries: [{ recnum: 0, nvIndex: '01c20001', digests: [{ hashAlg: 'sha256', digest: hex(32) }], contentType: 'ari', content: toB64u(Buffer.from('{"data":{},"kind":"boot_anchor"}')) }] };
const attestation = { attest: toB64u(Buffer.from('attest')), signature: toB64u(Buffer.from('signature')) };
export const platform: PlatformEvidence = {
  binding: { v: 'ari-platform-1', nonce: NONCE, aud: VERIFIER, logN: 1, logEpoch: log.epoch },
  quote: { ...attestation, bank: 'sha256', pcrs: { '0': hex(32), '7': hex(32, 'cd') } }, register: attestation, counter: attestation, boot: null, ima: null,
};
export const binding: Binding = {
  v: 'ari-bind-1', nonce: NONCE, aud: VERIFIER, paymentSha256: paymentHash(intent), mandateSha256: digestOf('mandate'), closedSha256: digestOf('closed'), agentSha256: agentHash(claims),
  platformSha256: platformHash(platform), logN: 1, logEpoch: log.epoch, seq: 42, jkt: thumbprint(AGENT.jwk), ctr: 18_446_744_073_709_551_615n,
};
export const payment: PaymentEvidence = { binding, register: attestation, quote: null, batch: { index: 0, size: 1, path: [] }, log, agent: claims };
export const evidence: Evidence = { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: hex(34), platform, payment };

export const device: DeviceRecord = {
  iss: VERIFIER, iat: NOW - 1000, jti: 'device-1', deviceId: ids.device, akName: hex(34), akPublic: toB64u(Buffer.from('public')), qualifiedSigner: hex(34, 'cd'), registerName: hex(34, 'ef'),
  counterName: null, ekRoot: 'CN=Test root', firmware: 9_007_199_254_740_993n, simulated: true, tierMax: 'T2',
};
export const ear: Ear = {
  eatProfile: EAR_PROFILE, iss: VERIFIER, aud: VERIFIER, sub: ids.device, jti: 'ear-1', iat: NOW, exp: NOW + 60, earVerifierId: { developer: 'https://ari.example', build: 'ari-sidecar 0.1.0' },
  earStatus: 'affirming', cnf: { jkt: thumbprint(AGENT.jwk) },
  submods: {
    platform: { earStatus: 'affirming', earTrustworthinessVector: { 'instance-identity': 2, hardware: 2 }, earAppraisalPolicyIds: ['policy-1'], eatNonce: NONCE, ariPlatform: { tier: 'T2', simulated: true, akName: hex(34), ekRoot: 'CN=Test root', firmware: 1n, resetCount: 1, restartCount: 0, clock: 123_456_789n, pcrBank: 'sha256', secureBoot: false, findings: [] } },
    sidecar: { earStatus: 'affirming', earTrustworthinessVector: {}, earAppraisalPolicyIds: ['policy-1'], eatNonce: NONCE, ariSidecar: { version: '0.1.0', measuredBy: 'self' } },
    agent: { earStatus: 'warning', earTrustworthinessVector: { executables: 33 }, earAppraisalPolicyIds: ['policy-1'], eatNonce: NONCE, ariAgent: { agentId: 'example.shopper', version: '1.0.0', manifestSha256, agentSha256: agentHash(claims), mode: 'attach', findings: [{ code: 'agent.drift', message: 'a file of the agent is not that of the manifest: prompt.md' }] } },
  },
  ariBinding: { paymentSha256: binding.paymentSha256, mandateSha256: binding.mandateSha256, closedSha256: binding.closedSha256, nonce: NONCE, seq: 42, logN: 1 },
  ariEvidence: { sha256: digestOf('evidence') },
};
export const policy: Policy = {
  iss: VERIFIER, iat: NOW - 1000, id: 'policy-1', version: 1, stage: 'enforce', allowSimulated: false, levels: ['L0', 'L1', 'L2', 'L3', 'L4'], minTier: 'T1', pcrs: [0, 2, 4, 7],
  platformMaxAgeMs: 60_000, requireBootLog: false, requireIma: false, confirmationMaxS: 600,
};
export const decision: Decision = {
  iss: VERIFIER, jti: 'decision-1', iat: NOW, exp: NOW + 120, paymentId: ids.payment, attempt: 1, decision: 'confirm', level: 'L2', code: 'decision.confirm_needed',
  inputs: { paymentSha256: binding.paymentSha256, mandateSha256: binding.mandateSha256, closedSha256: binding.closedSha256, carrierSha256: digestOf('carrier'), revisionsSha256: [digestOf('earlier carrier')], userKids: [SIGNERS.user.kid], earSha256: digestOf('ear'), confirmationSha256: null, stateSha256: digestOf('state'), nowMs: NOW * 1000 },
  policy: { id: 'policy-1', version: 1, sha256: digestOf('policy') }, checks: [{ check: 'approval', result: 'confirm', code: 'decision.confirm_needed' }], findings: [{ code: 'decision.confirm_needed', message: 'the user must confirm: why' }], obligations: ['receipt'],
};
export const confirmation: Confirmation = {
  jti: ids.confirmation, sub: ids.user, iat: NOW - 10, exp: NOW + 300, paymentId: ids.payment, paymentSha256: paymentHash(intent), termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee,
};
export const execution: ExecutionToken = {
  iss: 'https://carrier.example', aud: 'https://settlement.example', jti: ids.token, iat: NOW, exp: NOW + 120, carrierId: ids.carrier, reservationId: ids.reservation, payee: intent.payee, amount: intent.amount, bound: 'exact', captureUntil: null,
  paymentId: ids.payment, paymentSha256: binding.paymentSha256, decisionSha256: digestOf('decision'), closedSha256: binding.closedSha256, cnf: { jkt: thumbprint(AGENT.jwk) }, proof: 'c2sp.org/tlog-proof@v1\n',
};
export const receipt: Receipt = {
  iss: 'https://settlement.example', iat: NOW, jti: ids.receipt, status: 'Success', reference: binding.closedSha256, paymentId: ids.payment, pspConfirmationId: 'psp-1', error: null, executionSha256: digestOf('execution'), amount: intent.amount, settledAt: NOW,
};
export const refund: Refund = {
  iss: 'https://settlement.example', iat: NOW, jti: ids.receipt, refundId: `evt_${ULID}`, paymentId: ids.payment, pspConfirmationId: 'psp-2', receiptSha256: digestOf('receipt'), executionSha256: digestOf('execution'), amount: intent.amount, refundedAt: NOW,
};
export const offline: OfflineAllowance = {
  iss: 'https://carrier.example', jti: `alw_${ULID}`, iat: NOW - 600, exp: NOW + 3600, uploadUntil: NOW + 608_400, carrierId: ids.carrier, carrierRev: 1, mandateId: ids.mandate, mandateSha256: binding.mandateSha256,
  deviceId: ids.device, akName: hex(34), cnf: { jwk: AGENT.jwk }, currency: 'CNY', maxCount: 3, maxTotal: 50_000n, perPaymentMax: 20_000n, payees: [{ id: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }], ctrBase: 7n, clockBase: 1000n,
};

const leafCommon = { v: 'ari-deposit-1', salt, chain: ids.carrier, seq: 5, prev: digestOf('leaf 4'), tsMs: NOW * 1000, code: null } as const;
const hashes = { payment: binding.paymentSha256, mandate: binding.mandateSha256, carrier: digestOf('carrier'), confirmation: null };
export const decisionLeaf: DecisionLeaf = { kind: 'permitted', ...leafCommon, ...hashes, ear: digestOf('ear'), decision: digestOf('decision'), execution: null, receipt: null, subject: null };
export const resultLeaf: ResultLeaf = { kind: 'settled', ...leafCommon, ...hashes, ear: digestOf('ear'), decision: digestOf('decision'), execution: digestOf('execution'), receipt: digestOf('receipt'), subject: null };
export const eventLeaf: EventLeaf = { kind: 'enrolled', ...leafCommon, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: digestOf('device') };

/** A stand-in for any token, the same in every run. */
export const someToken = 'eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl';
