/** What an attacker would change in a bundle, edge by edge; used where a bundle of a permitted payment must name that edge. */
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { bootAnchorContent, logEntry } from '../../../attest/log.js';
import { logSigner } from '../../../src/deposit/note.js';
import type { Bundle, Edge } from '../../../src/objects/bundle.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance } from '../../../src/objects/allowance.js';
import { mandateHash } from '../../../src/sdjwt/index.js';
import { POLICY, type Policy } from '../../../src/objects/decision.js';
import { seal } from '../../../src/objects/signed.js';
import { USER_KEY } from '../../../src/objects/userkey.js';
import { type Changes, deposit } from '../../support/bundle.js';
import { SIGNERS, STRANGER } from '../../support/keys.js';
import { ISSUER, NOW, OTHER_USER, PARTIES, USER, policyOf } from '../../support/parties.js';
import type { Carrier } from '../../../src/objects/carrier.js';

/** A hash of nothing that is there. */
export const other = sha256('something else');
const foreignLog = logSigner('log.example/deposit', Buffer.alloc(32, 77));
/** Base64url with a bit of one byte flipped. */
export const flipBytes = (text: string, at: number): string => { const bytes = Buffer.from(text, 'base64url'); bytes[at]! ^= 1; return toB64u(bytes); };

/** The record of the user's key as the consent service gives it. */
const RECORD = { iss: ISSUER, iat: 1_799_000_000, sub: USER, kid: PARTIES.user.kid, jwk: PARTIES.user.jwk };
/** The carrier in a revision with this limit. */
export const ruledBy = (perPaymentMax: bigint, rev: number) => (c: Carrier): Carrier => ({ ...c, rev, rules: { ...c.rules, perPaymentMax } });
/** Revisions 1, 2, ... with these limits. */
export const line = (limits: bigint[]) => (c: Carrier): Carrier[] => limits.map((limit, i) => ruledBy(limit, i + 1)(c));

/** An allowance that fits this payment, changed. */
function allowanceFor(b: Bundle, over: Partial<OfflineAllowance>, signer = PARTIES.carrier): string {
  const payload = (token: string): Record<string, never> => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, never>;
  const [mandate, device, carrier] = [payload(b.mandate!), payload(b.device!), payload(b.carrier!)];
  return seal(OFFLINE_ALLOWANCE, {
    iss: carrier['iss']!, jti: 'alw_00000000000000000000000001', iat: NOW - 600, exp: NOW + 60, uploadUntil: NOW + 600, carrierId: carrier['jti']!, carrierRev: carrier['rev']!, mandateId: mandate['jti']!, mandateSha256: mandateHash(b.mandate!),
    deviceId: device['device_id']!, akName: device['ak_name']!, cnf: mandate['cnf']!, currency: b.intent.amount.currency, maxCount: 3, maxTotal: 1_000_000n, perPaymentMax: b.intent.amount.amount, payees: [{ id: b.intent.payee.id, origin: b.intent.payee.origin, scenario: 'gift.flowers' }],
    ctrBase: 1n, clockBase: 0n, ...over,
  }, signer);
}

/** For each edge, what an attacker would change so that this edge and none before it is false. */
export const ATTACKS: Record<Edge, Record<string, Changes>> = {
  'mandate-agent': {
    'the mandate is for another manifest': { mandate: (m) => ({ ...m, agent: { ...m.agent, manifestSha256: other } }) },
    'the mandate is for another version': { mandate: (m) => ({ ...m, agent: { ...m.agent, version: '1.0.1' } }) },
    'the mandate was over': { mandate: (m) => ({ ...m, exp: m.nbf + 1 }) },
    'the mandate is signed by another user': { signers: { user: OTHER_USER } },
    'nobody says whose key it is': { bundle: (b) => ({ ...b, userKeys: [] }) },
    'a stranger says whose key it is': { bundle: (b) => ({ ...b, userKeys: [seal(USER_KEY, RECORD, { ...STRANGER, kid: SIGNERS.consent.kid })] }) },
    'the verifier says it, and not the consent service': { bundle: (b) => ({ ...b, userKeys: [seal(USER_KEY, RECORD, PARTIES.verifier)] }) },
    'the consent service says it in the name of another': { bundle: (b) => ({ ...b, userKeys: [seal(USER_KEY, { ...RECORD, iss: 'https://other.example' }, SIGNERS.consent)] }) },
    'the key is said to be of another user': { bundle: (b) => ({ ...b, userKeys: [seal(USER_KEY, { ...RECORD, sub: 'usr_00000000000000000000000002' }, SIGNERS.consent)] }) },
  },
  'manifest-agent': {
    'another agent was measured': { claims: (c) => ({ ...c, agentId: 'com.example.other' }) },
    'it was measured against another manifest': { claims: (c) => ({ ...c, manifestSha256: other }) },
    'the publisher signs in the name of another': { manifest: (m) => ({ ...m, agent: { ...m.agent, publisher: 'others.example' } }) },
  },
  'mandate-carrier': {
    'the mandate knew other rules': { mandate: (m) => ({ ...m, carrier: { ...m.carrier, rulesSha256: other } }) },
    'the carrier is of another user': { carrier: (c) => ({ ...c, sub: 'usr_00000000000000000000000002' }) },
    'a looser step is hidden between tighter ones': { revisions: line([20_000n, 30_000n]), carrier: ruledBy(10_000n, 3) },
    'the last step is looser': { revisions: line([20_000n, 15_000n]), carrier: ruledBy(20_001n, 3) },
    'a step is missing': { revisions: (c) => line([20_000n, 15_000n, 12_000n])(c).filter(({ rev }) => rev !== 2), carrier: ruledBy(10_000n, 4) },
    'the carrier is an older revision': { revisions: (c) => [{ ...c, rev: 4 }], carrier: ruledBy(10_000n, 3) },
    'the rules that the mandate names were those of another carrier': { revisions: (c) => [{ ...c, jti: 'crr_00000000000000000000000002', rev: 1 }], carrier: ruledBy(10_000n, 2) },
    'the carrier was over': { carrier: (c) => ({ ...c, exp: c.nbf + 1 }) },
    'the carrier is issued in the name of another': { carrier: (c) => ({ ...c, iss: 'https://other.example' }) },
  },
  'intent-order': { 'the closed mandate is for another order': { closed: (c) => ({ ...c, transactionId: other }) } },
  'closed-mandate': {
    'another key closed the mandate': { signers: { agent: PARTIES.carrier } },
    'the TPM bound it for another verifier': { binding: (b) => ({ ...b, aud: 'https://other.example' }) },
    'the TPM bound it over another nonce': { binding: (b) => ({ ...b, nonce: other }) },
  },
  'closed-intent': {
    'the closed mandate is for another amount': { closed: (c) => ({ ...c, paymentAmount: { ...c.paymentAmount, amount: 1n } }) },
    'the closed mandate is for another payee': { closed: (c) => ({ ...c, payee: { ...c.payee, id: 'merchant_2' } }) },
    'the closed mandate is for another request': { closed: (c) => ({ ...c, riskData: { ari: { paymentSha256: other } } }) },
  },
  'binding-intent': { 'the TPM bound another request': { binding: (b) => ({ ...b, paymentSha256: other }) } },
  'binding-mandate': {
    'the TPM bound another mandate': { binding: (b) => ({ ...b, mandateSha256: other }) },
    'the TPM bound another key of the agent': { binding: (b) => ({ ...b, jkt: other }) },
  },
  'binding-closed': { 'the TPM bound another closed mandate': { binding: (b) => ({ ...b, closedSha256: other }) } },
  'binding-agent': { 'the agent was measured otherwise than was bound': { binding: (b) => ({ ...b, agentSha256: other }) } },
  'binding-platform': { 'a quote of another moment was spliced in': { binding: (b) => ({ ...b, platformSha256: other }) } },
  'attest-binding': {
    'another tree was signed': { evidence: (e) => ({ ...e, payment: { ...e.payment, batch: { index: 0, size: 2, path: [other] } } }) },
    'the platform part was signed as a payment': { evidence: (e) => ({ ...e, payment: { ...e.payment, register: e.platform.register } }) },
  },
  'attest-ak': { 'the signature is not by the key': { evidence: (e) => ({ ...e, payment: { ...e.payment, register: { ...e.payment.register!, signature: flipBytes(e.payment.register!.signature, 12) } } }) } },
  'device-ak': {
    'the record is of another key': { record: (r) => ({ ...r, akName: `000b${'00'.repeat(32)}` }) },
    'the record is issued in the name of another': { record: (r) => ({ ...r, iss: 'https://other.example' }) },
  },
  'register-log': {
    'a record of the log was replaced': { bundle: (b) => ({ ...b, log: [b.log[0]!, logEntry(1, b.log[1]!.nvIndex, { kind: 'sidecar', data: { version: '2' } })] }) },
    'the beginning of the log was left out': { bundle: (b) => ({ ...b, log: [] }) },
    'the log is of another boot': { bundle: (b) => ({ ...b, log: [logEntry(0, b.log[0]!.nvIndex, bootAnchorContent({ random: toB64u(Buffer.alloc(16)), resetCount: 99, restartCount: 0, nonce: other })), b.log[1]!] }) },
  },
  'allowance-mandate': {
    'the allowance is for another mandate': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { mandateSha256: other }) }) },
    'the allowance is for another device': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { deviceId: 'dev_00000000000000000000000009' }) }) },
    'the allowance is for another revision of the carrier': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { carrierRev: 99 }) }) },
    'the allowance outlives the mandate': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { exp: 4_000_000_000 }) }) },
    'the allowance is not signed by the carrier issuer': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, {}, PARTIES.verifier) }) },
  },
  'allowance-intent': {
    'the allowance is for other payees': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { payees: [{ id: 'merchant_2', origin: null, scenario: 'gift.flowers' }] }) }) },
    'the allowance is for smaller payments': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { perPaymentMax: 1n }) }) },
    'the allowance was over': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, { iat: NOW - 100, exp: NOW - 50 }) }) },
  },
  'binding-allowance': { 'the TPM counted nothing: the payment was made online': { bundle: (b) => ({ ...b, allowance: allowanceFor(b, {}) }) } },
  'ear-evidence': {
    'the result is of other evidence': { ear: (e) => ({ ...e, ariEvidence: { sha256: other } }) },
    'the result promises a higher tier': { ear: (e) => ({ ...e, submods: { ...e.submods, platform: { ...e.submods.platform, ariPlatform: { ...e.submods.platform.ariPlatform, tier: 'T3' } } } }) },
    'the result hides that the TPM is software': { ear: (e) => ({ ...e, submods: { ...e.submods, platform: { ...e.submods.platform, ariPlatform: { ...e.submods.platform.ariPlatform, simulated: false } } } }) },
    'the result affirms an agent that was traced': { claims: (c) => ({ ...c, injection: { ...c.injection, tracerPid: 7 } }), ear: (e) => ({ ...e, earStatus: 'affirming' }) },
  },
  'ear-binding': {
    'the result names another nonce': { ear: (e) => ({ ...e, ariBinding: { ...e.ariBinding, nonce: other } }) },
    'the result is for another key of the agent': { ear: (e) => ({ ...e, cnf: { jkt: other } }) },
  },
  'decision-ear': {
    'the decision rests on another result': { decision: (d) => ({ ...d, inputs: { ...d.inputs, earSha256: other } }) },
    'the result was over when it was used': { ear: (e) => ({ ...e, iat: e.iat - 100, exp: e.iat - 40 }) },
  },
  'decision-inputs': {
    'the numbers were others': { bundle: (b) => ({ ...b, state: { ...b.state, carrier: { ...b.state.carrier!, available: 60_000n } } }) },
    'it was permitted over the limit': { carrier: (c) => ({ ...c, rules: { ...c.rules, perPaymentMax: 1n } }) },
    'it was permitted to a payee that is not listed': { carrier: (c) => ({ ...c, rules: { ...c.rules, payees: [] } }) },
    'it was permitted at a level that the policy does not know': { policy: (p) => ({ ...p, levels: ['L0'] }) },
    'it was permitted without the consent it needed': { carrier: (c) => ({ ...c, rules: { ...c.rules, confirmAbove: 0n } }) },
    'it was permitted from a simulated TPM': { policy: (p) => ({ ...p, allowSimulated: false }) },
    'the time was another': { decision: (d) => ({ ...d, inputs: { ...d.inputs, nowMs: d.inputs.nowMs + 59_000_000_000 } }), ear: (e) => ({ ...e, exp: e.exp + 100_000_000 }) },
  },
  'decision-policy': {
    'another policy is shown': { bundle: (b) => ({ ...b, policy: signedPolicy({ version: 2 }) }) },
    'the policy is signed by the verifier itself': { signers: { operator: PARTIES.verifier } },
  },
  'confirmation-intent': { 'the user confirmed another payment': { ruling: undefined, confirmed: true, confirmation: (c) => ({ ...c, paymentId: 'pay_00000000000000000000000009' }) } },
  'leaf-decision': {
    'another decision was deposited': { leaf: (l) => ({ ...l, decision: other }) as typeof l },
    'a denial was deposited': { leaf: (l) => ({ ...l, kind: 'denied' }) as typeof l },
    'the leaf was made ten minutes later': { leaf: (l) => ({ ...l, tsMs: l.tsMs + 600_000 }) },
  },
  'leaf-chain': {
    'the chain was cut before the result': { resultLeaf: (l) => ({ ...l, prev: other }) },
    'the result stands in another chain': { resultLeaf: (l) => ({ ...l, chain: 'crr_2' }) },
    'the result stands before the decision': { resultLeaf: (l) => ({ ...l, seq: 1 }) },
  },
  'proof-leaf': {
    'the proof is of another leaf': { bundle: (b) => ({ ...b, proofs: [b.proofs[1]!, b.proofs[0]!] }) },
    'a proof is missing': { bundle: (b) => ({ ...b, proofs: [b.proofs[0]!] }) },
  },
  'checkpoint-key': {
    'a log that nobody trusts signed': { bundle: (b) => ({ ...b, proofs: b.leaves.map((_, i) => deposit(['x', ...b.leaves], 1 + i, foreignLog)) }) },
    'the log shows two trees of one size': { bundle: (b) => ({ ...b, proofs: b.leaves.map((_, i) => deposit([`fork ${i}`, ...b.leaves], 1 + i)) }) },
  },
  'execution-decision': {
    'the token is for another decision': { execution: (t) => ({ ...t, decisionSha256: other }) },
    'the token is for more': { execution: (t) => ({ ...t, amount: { ...t.amount, amount: 10_000n } }) },
    'the token is for another payee': { execution: (t) => ({ ...t, payee: { ...t.payee, id: 'merchant_2' } }) },
    'the token lives for an hour': { execution: (t) => ({ ...t, exp: t.iat + 3600 }) },
    'the token is for another key': { execution: (t) => ({ ...t, cnf: { jkt: other } }) },
  },
  'execution-proof': { 'the token was issued without a deposit': { execution: (t) => ({ ...t, proof: deposit(['another leaf'], 0) }) } },
  'receipt-execution': {
    'the receipt is for another token': { receipt: (r) => ({ ...r, executionSha256: other }) },
    'more was taken than was permitted': { receipt: (r) => ({ ...r, amount: { ...r.amount, amount: 9901n } }) },
    'another than the audience of the token took it': { execution: (t) => ({ ...t, aud: 'https://other.example' }) },
  },
  'receipt-closed': { 'the receipt refers to another mandate': { receipt: (r) => ({ ...r, reference: other }) } },
  'settled-leaf': {
    'another receipt was deposited': { resultLeaf: (l) => ({ ...l, receipt: other }) as typeof l },
    'a failure was deposited': { resultLeaf: (l) => ({ ...l, kind: 'failed' }) as typeof l },
    'the result was not deposited': { bundle: (b) => ({ ...b, leaves: [b.leaves[0]!], proofs: [b.proofs[0]!] }) },
  },
};
const signedPolicy = (change: Partial<Policy>): string => seal(POLICY, { ...policyOf(), ...change }, PARTIES.operator);
