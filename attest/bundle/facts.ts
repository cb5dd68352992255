/**
 * The objects of a bundle, each opened when an edge first asks for it, and only with trusted keys. The bundle comes from whoever wants to be believed.
 * One edge answers for each object: the one that is named when the object is missing, unreadable or not signed by whom it must be.
 */
import { fromB64u, type Sha256 } from '../../src/base/bytes.js';
import { splitJws } from '../../src/base/jws.js';
import { parse } from '../../src/base/shape.js';
import type { Code } from '../../src/codes.js';
import { ROLES } from '../../src/names.js';
import { readLeaf } from '../../src/deposit/chain.js';
import type { Bundle, Edge } from '../../src/objects/bundle.js';
import { CARRIER, type Carrier } from '../../src/objects/carrier.js';
import { consentChallenge, userAssertion, verifyAssertion } from '../../src/objects/assertion.js';
import { CONFIRMATION, type Confirmation, CONSENT, DECISION, type Decision, POLICY, type Policy } from '../../src/objects/decision.js';
import { DEVICE_RECORD, type DeviceRecord } from '../../src/objects/device.js';
import { EAR, type Ear } from '../../src/objects/ear.js';
import type { Evidence } from '../../src/objects/evidence.js';
import { paymentHash } from '../../src/objects/intent.js';
import type { DepositLeaf } from '../../src/objects/leaf.js';
import { AGENT_MANIFEST, type AgentManifest } from '../../src/objects/manifest.js';
import { EXECUTION_TOKEN, type ExecutionToken, RECEIPT, type Receipt } from '../../src/objects/settlement.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance } from '../../src/objects/allowance.js';
import { type SignedKind, type Verified, open, tokenHash } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { USER_KEY, withUserKeys } from '../../src/objects/userkey.js';
import { type OpenedClosed, type OpenedMandate, closedHash, mandateHash, openClosed, openMandate } from '../../src/sdjwt/index.js';
import type { PaymentResult } from '../types.js';
import { Unopened, brokenBy, claim } from './claim.js';
import { reappraise } from './reappraise.js';

/** The bundle's objects, opened. Each throws Unopened when its object is missing, unreadable or not signed by a trusted key of its role. */
export interface Facts {
  readonly bundle: Bundle;
  readonly trust: Trust;
  readonly paymentSha256: Sha256;
  readonly mandateSha256: Sha256 | null;
  readonly closedSha256: Sha256 | null;
  readonly manifestSha256: Sha256 | null;
  readonly mandate: () => OpenedMandate;
  readonly closed: () => OpenedClosed;
  readonly manifest: () => Verified<AgentManifest>;
  readonly carrier: () => Verified<Carrier>;
  readonly revisions: () => readonly Verified<Carrier>[];
  /** The keys of users that the bundle brings. */
  readonly userKids: () => readonly string[];
  /** Under which the payment was made offline. */
  readonly allowance: () => Verified<OfflineAllowance>;
  readonly device: () => Verified<DeviceRecord>;
  readonly evidence: () => Evidence;
  /** The evidence, appraised again from nothing but the bundle. */
  readonly appraisal: () => PaymentResult;
  readonly ear: () => Verified<Ear>;
  readonly policy: () => Verified<Policy>;
  readonly decision: () => Verified<Decision>;
  readonly confirmation: () => Verified<Confirmation>;
  readonly execution: () => Verified<ExecutionToken>;
  readonly receipt: () => Verified<Receipt>;
  readonly leaves: () => readonly [DepositLeaf, ...DepositLeaf[]];
  /** When long-lived objects must be valid, integer seconds. */
  readonly atS: () => number;
}

/** An object that is opened once. A failure is made again: it is the same, for everything here is pure. */
function object<T>(home: Edge, open: () => T): () => T {
  let kept: { value: T } | undefined;
  return () => (kept ??= { value: opened(home, open) }).value;
}

function opened<T>(home: Edge, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const why = brokenBy(error);
    throw why === null || error instanceof Unopened ? error : new Unopened(home, why);
  }
}

function present<T>(value: T | null, what: string, code: Code | null = null): T {
  claim(value !== null, `the ${what} is missing`, code);
  return value as T;
}

/** A signed object whose `iss` is whom its key belongs to: a key of one issuer says nothing in the name of another. */
export function issued<T extends { iss: string }>(kind: SignedKind<T>, token: string, trust: Trust): Verified<T> {
  const opened = open(kind, token, trust.keys);
  claim(trust.owner(opened.signer.kid) === opened.value.iss, `the ${kind.typ} is signed with a key that does not belong to ${opened.value.iss}`);
  return opened;
}

function ownMandate(token: string, trust: Trust): OpenedMandate {
  const opened = openMandate(token, trust.keys);
  claim(trust.owner(opened.mandate.signer.kid) === opened.mandate.value.sub, 'the mandate is signed with a key of another user', 'mandate.signature');
  return opened;
}

/** A user's own token; or the consent service's, with the assertion of a passkey of that user over exactly these terms. */
function ownConfirmation(token: string, assertion: string | null, trust: Trust): Verified<Confirmation> {
  const byPasskey = splitJws(token).kid.startsWith(`${ROLES.consent}-`);
  claim(byPasskey === (assertion !== null), byPasskey ? 'there is no assertion of a passkey' : 'there is an assertion that nothing asks for', 'confirm.assertion');
  const opened = open(byPasskey ? CONSENT : CONFIRMATION, token, trust.keys);
  const kid = assertion === null ? opened.signer.kid : assertedBy(opened.value, assertion, trust);
  claim(trust.owner(kid) === opened.value.sub, 'the confirmation is signed with a key of another user', 'confirm.signature');
  return opened;
}

/** @returns the key id of the passkey that signed the terms */
function assertedBy(terms: Confirmation, text: string, trust: Trust): string {
  const assertion = parse(userAssertion, text, 'user assertion');
  const key = trust.keys('user', assertion.kid);
  claim(key !== undefined, 'the passkey is not a known key of a user', 'confirm.signature');
  verifyAssertion(assertion, key, consentChallenge(terms));
  return assertion.kid;
}

const of = <T>(value: T | null, hash: (value: T) => Sha256): Sha256 | null => (value === null ? null : hash(value));

/** @param nowMs when long-lived objects must be valid; without it, at the time of the decision's leaf, or when the payment was made offline */
export function factsOf(b: Bundle, trust: Trust, nowMs?: number): Facts {
  const people = object('mandate-agent', () => withUserKeys(trust, b.userKeys));
  const mandate = object('mandate-agent', () => ownMandate(present(b.mandate, 'mandate'), people()));
  const manifest = object('manifest-agent', () => issued(AGENT_MANIFEST, present(b.manifest, 'manifest'), trust));
  const device = object('device-ak', () => issued(DEVICE_RECORD, present(b.device, 'device record'), trust));
  const policy = object('decision-policy', () => issued(POLICY, b.policy, trust));
  const evidence = object('binding-intent', () => present(b.evidence, 'evidence'));
  const leaves = object('leaf-decision', () => b.leaves.map(readLeaf) as [DepositLeaf, ...DepositLeaf[]]);
  const closed = object('closed-mandate', () => openClosed(present(b.closedMandate, 'closed mandate'), b.mandate ?? '', mandate().mandate, evidence().payment.binding));
  return {
    bundle: b, trust, mandate, manifest, device, policy, evidence, leaves, closed,
    paymentSha256: paymentHash(b.intent),
    mandateSha256: of(b.mandate, mandateHash),
    closedSha256: of(b.closedMandate, closedHash),
    manifestSha256: of(b.manifest, tokenHash),
    allowance: object('allowance-mandate', () => issued(OFFLINE_ALLOWANCE, present(b.allowance ?? null, 'offline allowance'), trust)),
    carrier: object('mandate-carrier', () => issued(CARRIER, present(b.carrier, 'carrier', 'carrier.unknown'), trust)),
    revisions: object('mandate-carrier', () => b.revisions.map((token) => issued(CARRIER, token, trust))),
    userKids: object('mandate-agent', () => b.userKeys.map((token) => open(USER_KEY, token, trust.keys).value.kid)),
    appraisal: object('attest-binding', () => reappraise({ offline: b.allowance !== undefined, evidence: evidence(), earlier: b.log, earlierIma: b.ima === undefined ? null : fromB64u(b.ima), record: device(), policy: policy().value, manifest: b.manifest === null ? null : manifest() })),
    ear: object('ear-evidence', () => issued(EAR, present(b.ear, 'attestation result'), trust)),
    decision: object('decision-ear', () => issued(DECISION, b.decision, trust)),
    confirmation: object('confirmation-intent', () => ownConfirmation(present(b.confirmation, 'confirmation'), b.userAssertion, people())),
    execution: object('execution-decision', () => issued(EXECUTION_TOKEN, present(b.execution, 'execution token'), trust)),
    receipt: object('receipt-execution', () => issued(RECEIPT, present(b.receipt, 'receipt'), trust)),
    atS: () => (nowMs === undefined && b.allowance !== undefined ? closed().closed.iat : Math.floor((nowMs ?? leaves()[0].tsMs) / 1000)),
  };
}
