import { type Signer, thumbprint, verifyKey } from '../../src/base/jws.js';
import { toB64u } from '../../src/base/bytes.js';
import type { Finding } from '../../src/base/fault.js';
import { hashOf, stringify } from '../../src/base/shape.js';
import { appendLeaves } from '../../src/deposit/checkpoint.js';
import { inclusionProof, nodesOf } from '../../src/deposit/paths.js';
import { writeProof } from '../../src/deposit/proof.js';
import { EMPTY_TREE, leafNode } from '../../src/deposit/tree.js';
import { type Ruling, adjudicate } from '../../src/law/index.js';
import { type Bundle, bundle as bundleShape } from '../../src/objects/bundle.js';
import { type AuthorityState, CARRIER, type Carrier, authorityState, rulesHash } from '../../src/objects/carrier.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { CONFIRMATION, type Confirmation, DECISION, type Decision, POLICY, type Policy } from '../../src/objects/decision.js';
import { DEVICE_RECORD, type DeviceRecord } from '../../src/objects/device.js';
import { EAR, type Ear } from '../../src/objects/ear.js';
import { type Binding, type Evidence, type PlatformEvidence, platformHash } from '../../src/objects/evidence.js';
import { type Intent, paymentHash } from '../../src/objects/intent.js';
import { type DepositLeaf, leafHash, leafText } from '../../src/objects/leaf.js';
import type { ClosedPayment } from '../../src/objects/mandate.js';
import { AGENT_MANIFEST, type AgentManifest } from '../../src/objects/manifest.js';
import { EXECUTION_TOKEN, type ExecutionToken, RECEIPT, type Receipt } from '../../src/objects/settlement.js';
import { type SignedKind, type Verified, open, seal } from '../../src/objects/signed.js';
import { closeMandate, closedHash, issueMandate, mandateHash, openMandate } from '../../src/sdjwt/index.js';
import { batchOf } from '../../attest/batch.js';
import { bindingFor, paymentEvidenceOf, paymentQualifyingData } from '../../attest/evidence.js';
import type { PaymentResult } from '../../attest/types.js';
import { appraisePayment, earOf } from '../../attest/verify/index.js';
import { AGENT_KEY, ISSUER, LOG, NOW, NOW_MS, OWNERS, PARTIES, PAYMENT, type Party, USER, type Unsigned, carrierOf, claimsOf, closedOf, hash, intentOf, mandateOf, manifestOf, openOf, policyOf, recordOf, recordsOf, salt, stateOf, ulid } from './parties.js';
import { PCRS, type TestDevice } from './device.js';

/** Changes values before they are signed, hashed or bound; what is made of them later follows. `bundle` changes the finished file. */
export interface Changes {
  manifest?(value: AgentManifest): AgentManifest;
  mandate?(value: Unsigned): Unsigned;
  carrier?(value: Carrier): Carrier;
  /** Revisions before the present one, oldest first; the mandate names the rules of the first. */
  revisions?(present: Carrier): Carrier[];
  state?(value: AuthorityState): AuthorityState;
  intent?(value: Intent): Intent;
  closed?(value: ClosedPayment): ClosedPayment;
  claims?(value: AgentClaims): AgentClaims;
  binding?(value: Binding): Binding;
  evidence?(value: Evidence): Evidence;
  record?(value: DeviceRecord): DeviceRecord;
  policy?(value: Policy): Policy;
  ear?(value: Ear): Ear;
  confirmation?(value: Confirmation): Confirmation;
  decision?(value: Decision): Decision;
  leaf?(value: DepositLeaf): DepositLeaf;
  execution?(value: ExecutionToken): ExecutionToken;
  receipt?(value: Receipt): Receipt;
  resultLeaf?(value: DepositLeaf): DepositLeaf;
  bundle?(value: Bundle): Bundle;
  /** What the device quotes, where it is not {@link PCRS}. */
  pcrs?: readonly number[];
  /** What firmware and kernel logged, as the device sends it with the quote. */
  logs?: Partial<Pick<PlatformEvidence, 'boot' | 'ima'>>;
  /** Another signer in the place of a party. */
  signers?: Partial<Record<Party | 'agent', Signer>>;
  /** The user confirmed. */
  confirmed?: boolean;
  /** The evidence was refused for what only the verifier remembers. */
  refusal?: Finding;
  /** The mandate is not one that this device registered: the verifier looks at no carrier. */
  unregistered?: boolean;
  /** The decision is what it would be without the changes: a verifier that permits what it should not. */
  ruling?: Ruling | undefined;
}
export interface Built { readonly bundle: Bundle; readonly text: string; readonly ruling: Ruling }


/** One payment being made: the values as changed, each signed by whom it must be. */
class Making {
  readonly changes: Changes;
  constructor(changes: Changes) { this.changes = changes; }

  change<K extends keyof Changes, T>(name: K, value: T): T {
    return (this.changes[name] as ((value: T) => T) | undefined)?.(value) ?? value;
  }
  by(party: Party): Signer { return this.changes.signers?.[party] ?? PARTIES[party]; }
  sign<T>(kind: SignedKind<T>, party: Party, value: T): Verified<T> {
    const signer = this.by(party);
    return open(kind, seal(kind, value, signer), () => verifyKey(signer.jwk, signer.kid));
  }
}

function authorise(making: Making) {
  const manifest = making.sign(AGENT_MANIFEST, 'publisher', making.change('manifest', manifestOf()));
  const carrier = making.sign(CARRIER, 'carrier', making.change('carrier', carrierOf()));
  const revisions = (making.changes.revisions?.(carrier.value) ?? []).map((value) => making.sign(CARRIER, 'carrier', value));
  const mandateValue = making.change('mandate', mandateOf(manifest.sha256, rulesHash((revisions[0] ?? carrier).value.rules)));
  const mandate = issueMandate(mandateValue, openOf(), making.by('user'), salt(3));
  const intent = making.change('intent', intentOf());
  const paymentSha256 = paymentHash(intent);
  const closedValue = making.change('closed', closedOf(intent, paymentSha256));
  const closed = closeMandate({ mandateToken: mandate, closed: closedValue, aud: ISSUER, nonce: hash('nonce'), iat: NOW }, making.changes.signers?.agent ?? AGENT_KEY, salt(4));
  return { manifest, carrier, revisions, userKeys: recordsOf(making.by('user')), mandateValue, mandate, intent, paymentSha256, closedValue, closed, mandateSha256: mandateHash(mandate), closedSha256: closedHash(closed) };
}
type Authorised = ReturnType<typeof authorise>;

async function prove(making: Making, device: TestDevice, { manifest, paymentSha256, mandateSha256, closedSha256 }: Authorised) {
  const agent = making.change('claims', claimsOf(manifest.value, manifest.sha256));
  const platform = await device.platform({ nonce: hash('platform nonce'), aud: ISSUER, pcrs: making.changes.pcrs ?? PCRS, logs: making.changes.logs ?? {} });
  const binding = making.change('binding', bindingFor({
    nonce: hash('nonce'), aud: ISSUER, paymentSha256, mandateSha256, closedSha256, platformSha256: platformHash(platform), jkt: thumbprint(AGENT_KEY.jwk), agent, log: device.position, seq: 1, ctr: null,
  }));
  const { root, paths } = batchOf([binding]);
  const attestation = await device.certify('register', paymentQualifyingData(root));
  const payment = paymentEvidenceOf({ binding, batch: paths[0]!, log: device.delta(2), agent, carrier: 'register', attestation });
  const evidence = making.change('evidence', device.evidence(platform, payment));
  const record = making.sign(DEVICE_RECORD, 'verifier', making.change('record', recordOf(device)));
  const policy = making.sign(POLICY, 'operator', making.change('policy', policyOf()));
  const { nonce, aud, jkt, ...bound } = evidence.payment.binding;
  const expected = { nonce, aud, jkt, paymentSha256: bound.paymentSha256, mandateSha256: bound.mandateSha256, closedSha256: bound.closedSha256 };
  const result = appraisePayment({
    evidence, policy: policy.value, manifest, expected, platform: null, earlier: device.log.slice(0, 2), device: { record, state: 'enrolled', clock: null, head: null, latest: null },
  });
  return { agent, binding, evidence, record, policy, result };
}
type Proven = Awaited<ReturnType<typeof prove>>;

function decide(making: Making, a: Authorised, { agent, evidence, record, policy, result: shown }: Proven) {
  const { refusal, unregistered } = making.changes;
  const result: PaymentResult = refusal === undefined ? shown : { ...shown, authentic: false, status: 'contraindicated', tier: 'T0', code: refusal.code, findings: [refusal] };
  const ids = { iss: ISSUER, aud: OWNERS.carrier, jti: 'ear-1', verifier: { developer: 'https://ari.example', build: 'test' } };
  const earValue = earOf({ result, evidence, device: record.value, manifest: a.manifest.value, policy: policy.value, sidecarVersion: '1', nowS: NOW, ids });
  const ear = earValue === null ? null : making.sign(EAR, 'verifier', making.change('ear', earValue));
  const { intent, paymentSha256, mandateSha256, closedSha256, userKeys } = a;
  const revisions = unregistered === true ? [] : a.revisions;
  const carrier = unregistered === true ? null : a.carrier;
  const consent = { jti: `cnf_${ulid(1)}`, sub: USER, iat: NOW - 10, exp: NOW + 300, paymentId: PAYMENT, paymentSha256, termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee };
  const confirmation = making.changes.confirmed === true ? making.sign(CONFIRMATION, 'user', making.change('confirmation', consent)) : null;
  const state = making.change('state', carrier === null ? { carrier: null, mandate: null, windows: [], scenario: null } : stateOf(carrier.value, a.mandateValue.jti));
  const ruling = making.changes.ruling ?? adjudicate({
    intent, paymentSha256, state, policy: policy.value, appraisal: result, carrier, revisions, confirmation, nowMs: NOW_MS, mandateFault: null,
    mandate: openMandate(a.mandate, () => verifyKey(making.by('user').jwk)), closed: a.closedValue, agent: result.authentic ? agent : null,
  });
  const decision = making.sign(DECISION, 'verifier', making.change('decision', {
    iss: ISSUER, jti: 'decision-1', iat: NOW, exp: NOW + 120, paymentId: PAYMENT, attempt: 1, ...ruling,
    inputs: {
      paymentSha256, mandateSha256, closedSha256, carrierSha256: carrier?.sha256 ?? null, revisionsSha256: revisions.map(({ sha256 }) => sha256), userKids: userKeys.map(() => making.by('user').kid), earSha256: ear?.sha256 ?? null, confirmationSha256: confirmation?.sha256 ?? null,
      stateSha256: hashOf(authorityState, state), nowMs: NOW_MS,
    },
    policy: { id: policy.value.id, version: policy.value.version, sha256: policy.sha256 },
  }));
  return { carrier, ear, confirmation, state, ruling, decision };
}
type Decided = ReturnType<typeof decide>;

/** What stands in the log before this payment. */
const EARLIER = ['an earlier leaf', 'another leaf'];

function settle(making: Making, { intent, paymentSha256, mandateSha256, closedSha256 }: Authorised, { binding }: Proven, { carrier, ear, confirmation, decision }: Decided) {
  const kind = ({ permit: 'permitted', confirm: 'confirm_required', deny: 'denied' } as const)[decision.value.decision];
  const chained = { v: 'ari-deposit-1', salt: toB64u(salt(5)), chain: carrier?.value.jti ?? 'dev_1' } as const;
  const hashes = { payment: paymentSha256, mandate: mandateSha256, carrier: carrier?.sha256 ?? null, ear: ear?.sha256 ?? null, confirmation: confirmation?.sha256 ?? null, decision: decision.sha256, subject: null };
  const leaf = leafText(making.change('leaf', { kind, ...chained, seq: 4, prev: hash('earlier'), tsMs: NOW_MS + 3, code: decision.value.code, ...hashes, execution: null, receipt: null } as DepositLeaf));
  if (decision.value.decision !== 'permit') return { execution: null, receipt: null, leaves: [leaf] };
  const execution = making.sign(EXECUTION_TOKEN, 'carrier', making.change('execution', {
    iss: OWNERS.carrier, aud: OWNERS.settlement, jti: `tok_${ulid(1)}`, iat: NOW, exp: NOW + 120, carrierId: intent.carrierId ?? '', reservationId: `rsv_${ulid(1)}`, payee: intent.payee, amount: intent.amount, bound: intent.bound, captureUntil: intent.captureUntil,
    paymentId: PAYMENT, paymentSha256, decisionSha256: decision.sha256, closedSha256, cnf: { jkt: binding.jkt }, proof: deposit([...EARLIER, leaf], 2),
  }));
  const receipt = making.sign(RECEIPT, 'settlement', making.change('receipt', {
    iss: OWNERS.settlement, iat: NOW + 1, jti: `rcp_${ulid(1)}`, status: 'Success', reference: closedSha256, paymentId: PAYMENT, pspConfirmationId: null, error: null, executionSha256: execution.sha256, amount: intent.amount, settledAt: NOW + 1,
  }));
  const result = { kind: 'settled', ...chained, seq: 5, prev: leafHash(leaf), tsMs: NOW_MS + 9, code: null, ...hashes, execution: execution.sha256, receipt: receipt.sha256 } as DepositLeaf;
  return { execution: execution.token, receipt: receipt.token, leaves: [leaf, leafText(making.change('resultLeaf', result))] };
}

/** One payment from the manifest to the last leaf, as the rooms make it, with evidence that a TPM signed. */
export async function buildBundle(device: TestDevice, changes: Changes = {}): Promise<Built> {
  const making = new Making(changes);
  const a = authorise(making);
  const p = await prove(making, device, a);
  const d = decide(making, a, p);
  const { execution, receipt, leaves } = settle(making, a, p, d);
  const bundle: Bundle = making.change('bundle', {
    v: 'ari-bundle-1', intent: a.intent, mandate: a.mandate, closedMandate: a.closed, carrier: d.carrier?.token ?? null, revisions: a.revisions.map(({ token }) => token), userKeys: a.userKeys, manifest: a.manifest.token, device: p.record.token, evidence: p.evidence, log: device.log.slice(0, 2),
    ear: d.ear?.token ?? null, state: d.state, policy: p.policy.token, decision: d.decision.token, confirmation: d.confirmation?.token ?? null, userAssertion: null, execution, receipt,
    leaves, proofs: leaves.map((_, i) => deposit([...EARLIER, ...leaves], EARLIER.length + i)),
  });
  return { bundle, text: stringify(bundleShape, bundle), ruling: d.ruling };
}

/** The proof of one leaf in a log of exactly these. */
export function deposit(leaves: readonly string[], index: number, signer = LOG): string {
  const hashes = inclusionProof(index, leaves.length, nodesOf((i) => leafNode(leaves[i]!)));
  return writeProof({ index, hashes, checkpoint: appendLeaves(signer)(EMPTY_TREE, leaves).note });
}
