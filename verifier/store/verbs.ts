/**
 * The store as verbs. Each verb is one transaction; every uniqueness and balance is decided by the database, never by memory, so that several verifier
 * processes may share one. Tokens and signed JSON are text exactly as received; money and times are bigint or integer milliseconds.
 * A verb that finds its guard broken says so with a value (`{ok:false, code}`) or throws a Fault named in its comment; nothing is half done.
 */
import type { DeviceClock, LogHead, LogRow } from '../../attest/types.js';
import type { Sha256 } from '../../src/base/bytes.js';
import type { Code } from '../../src/codes.js';
import type { CarrierState, DecisionKind, LeafKind, Level, MandateState, NoncePurpose, PaymentState } from '../../src/names.js';
import type { AuthorityState } from '../../src/objects/carrier.js';
import type { StatusValue } from '../../src/objects/status.js';
import type { DepositLeaf } from '../../src/objects/leaf.js';

export interface DeviceRow { deviceId: string; userId: string | null; state: 'enrolled' | 'suspended' | 'revoked'; simulated: boolean; akName: string; record: string }
export interface UserKeyRow { keyId: string; userId: string; publicJwk: string; rpId: string | null }
export interface CarrierRow { carrierId: string; userId: string; currency: string; state: CarrierState; rev: number; totalMax: bigint; reserved: bigint; spent: bigint; available: bigint; stateSeq: number; token: string }
export interface MandateRow { mandateId: string; mandateSha256: Sha256; userId: string; carrierId: string; deviceId: string; agentId: string; manifestSha256: Sha256; level: Level; maxPayments: number | null; token: string; state: MandateState; expMs: number; uses: number; manifestRevoked: boolean }
export interface PaymentRow { paymentId: string; deviceId: string; agentId: string; idempotencyKey: string; requestSha256: Sha256; paymentSha256: Sha256; intent: string; mandateId: string | null; carrierId: string | null; state: PaymentState; code: Code | null; version: number; createdMs: number }
export interface AttemptRow { paymentId: string; n: number; nonce: string; evidence: string; ear: string; stateJson: string; decision: string; decisionKind: DecisionKind; decidedMs: number }

export type RedemptionState = 'held' | 'started' | 'settled' | 'failed';
/** `amount`: what is captured; null while the token is only held. */
export interface RedemptionRow { jti: string; state: RedemptionState; amount: bigint | null; receipt: string | null }
/** What becomes of a token in the transaction that releases it, when it is the first: its redemption starts, and for money that moves nowhere but in this database it ends too. */
export interface Redeem { start: StartInput; finish: FinishInput | null }
export interface StartInput { jti: string; requestSha256: Sha256; amount: bigint; nowMs: number }
export interface FinishInput { jti: string; paymentId: string; outcome: 'settled' | 'failed'; captured: bigint; payeeAccount: string; receipt: string; code: Code | null; leaf: { eventId: string; draft: LeafDraft }; nowMs: number }
export interface RefundRow { refundId: string; paymentId: string; amount: bigint; state: 'started' | 'settled' | 'failed'; receipt: string | null }

/** Where an IMA list stands, as its encoding says, and the boot that it was shown in. */
export interface ImaListRow { resetCount: number; standing: string }

/** `clock`: where the line of its payments stands, its counter the last one taken. `counted`: values of the counter below its end that belong to payments which were brought. */
export interface AllowanceRow {
  allowanceId: string; carrierId: string; mandateId: string; deviceId: string; token: string; state: 'live' | 'closed' | 'ended'; maxCount: number; maxTotal: bigint;
  count: number; spent: bigint; ctrBase: bigint; ctrEnd: bigint | null; clock: DeviceClock; uploadUntilMs: number; counted: number;
}
/** An offline payment as it was judged. `amount`: what is taken out of the hold; null when it was not permitted. */
export interface OfflineSpend extends Pick<DecideInput, 'payment' | 'attempt' | 'code' | 'leaf' | 'nowMs'> {
  allowance: AllowanceRow; akName: string; clock: DeviceClock; nonce: { value: string }; reservationId: string; amount: bigint | null; stateSeq: number | null;
}

/** A record of a device's log: which epoch, and where in it. */
export interface LogPlace { readonly epoch: Sha256; readonly n: number }
/** `resetCount`, `restartCount`: of the boot that the epoch began in, or was last seen in. */
export interface DeviceLogRow extends LogPlace { readonly entry: string; readonly resetCount: number; readonly restartCount: number }

/** A leaf before the log gives it its place in its chain; the sequencer fills `seq` and `prev`. */
export type LeafDraft = Omit<DepositLeaf, 'seq' | 'prev'> & { kind: LeafKind };
export interface QueuedLeaf { eventId: string; chain: string; body: string }
export interface StoredLeaf { idx: number; eventId: string; chain: string; seq: number; leafHash: Sha256; leaf: string }

/** What one process tells the others: a message for a device, or that a device is to be told its mandates anew. */
export interface OutboxRow { eventId: string; topic: 'message' | 'mandates'; subject: string; body: string; createdMs: number }
/** What happened to something of a user's, as the log holds it. */
export interface UserEvent { index: number; eventId: string; chain: string; seq: number; paymentId: string | null; kind: LeafKind; code: Code | null; tsMs: number }

/** All that the decide transaction writes. The nonce is consumed, the clock and log advanced, money reserved and the leaf queued: together or not at all. */
export interface DecideInput {
  nonce: { value: string; deviceId: string; purpose: NoncePurpose; expiresMs: number };
  /** null when the evidence was not authentic: then nothing of the device moves. */
  device: { akName: string; before: DeviceClock | null; after: DeviceClock; head: LogHead; entries: LogRow[] } | null;
  payment: Omit<PaymentRow, 'version' | 'createdMs' | 'state' | 'code'>;
  attempt: Omit<AttemptRow, 'paymentId' | 'nonce'>;
  code: Code | null;
  /** Present on permit. */
  reserve: { reservationId: string; carrierId: string; rev: number; stateSeq: number; amount: bigint; mandateId: string | null; maxPayments: number | null; expiresMs: number } | null;
  confirmationId: string | null;
  leaf: { eventId: string; draft: LeafDraft };
  nowMs: number;
}
/** `retry`: the carrier or device moved meanwhile; read again and adjudicate again (at most five times). */
export type DecideResult = { ok: true } | { ok: false; retry: true } | { ok: false; retry: false; code: Code };

export interface EnrolCode { userId: string; reEnrol: boolean }
/** `secretMac`: what the device must answer. */
export interface EnrolSession { ekSha256: Sha256; akName: string; secretMac: string; codeSha256: Sha256 }
export interface EnrolInput {
  codeSha256: Sha256;
  deviceId: string;
  ekSha256: Sha256;
  /** The key of a cloud that certified the attestation key; null: none did. */
  providerSha256: Sha256 | null;
  simulated: boolean;
  akName: string;
  record: string;
  /** Where the key stood when its evidence was judged: null for a new key. */
  before: DeviceClock | null;
  clock: DeviceClock;
  head: LogHead;
  entries: LogRow[];
  leaf: { eventId: string; draft: LeafDraft };
  nowMs: number;
}

export interface Store {
  /** Applies missing schema versions. Idempotent. */
  migrate(): Promise<void>;
  close(): Promise<void>;

  /* users and keys */
  addUser(user: { userId: string; kind: 'person' | 'organisation'; nowMs: number }): Promise<void>;
  /** A key speaks for its user from `fromMs` on; written once, with its leaf. @throws Fault store.conflict, intake.not_found (no such user) */
  addUserKey(key: { keyId: string; userId: string; publicJwk: string; rpId?: string | null; fromMs?: number; leaf?: { eventId: string; draft: LeafDraft }; nowMs?: number }): Promise<void>;
  /** After it returned, nothing that this key signed is permitted. @returns false when the user has no such key, or it is revoked already */
  revokeUserKey(key: { keyId: string; userId: string; leaf: { eventId: string; draft: LeafDraft }; outbox?: readonly OutboxRow[]; nowMs: number }): Promise<boolean>;
  /** A key that is not revoked and speaks at this time; without a time, from any time. Passkeys have an RP id. */
  userKey(keyId: string, atMs?: number): Promise<UserKeyRow | null>;
  userKeys(userId: string, atMs?: number): Promise<UserKeyRow[]>;
  /** A key that a user ever had, whether or not it still speaks: what it signed is checked for as long as anybody keeps it. */
  knownUserKey(keyId: string): Promise<UserKeyRow | null>;
  /** Takes the counter of a passkey's assertion. @returns false when it is not above the last: a copy of the passkey signs beside it */
  countAssertion(keyId: string, counter: number): Promise<boolean>;
  /** All keys that a user ever had. */
  userKeyHistory(userId: string): Promise<{ keyId: string; fromMs: number; revokedMs: number | null }[]>;

  /* enrolment: codes and sessions are used once, decided by a conditional write */
  /** Who is responsible for what is enrolled with it, and whether a known TPM may get another key. */
  addEnrolCode(code: { codeSha256: Sha256; userId: string; expiresMs: number; reEnrol: boolean }): Promise<void>;
  /** What a code says, which stays as it is. @returns null when it is unknown, used or expired */
  enrolCode(codeSha256: Sha256, nowMs: number): Promise<EnrolCode | null>;
  /** Uses a code up without a TPM. @returns null as {@link enrolCode} does */
  useEnrolCode(codeSha256: Sha256, nowMs: number): Promise<EnrolCode | null>;
  /** Opens a session and reserves its code for this TPM as long. @returns false when the code is unknown, used, expired or reserved for another TPM */
  openEnrolSession(session: EnrolSession & { sessionId: string; expiresMs: number; nowMs: number }): Promise<boolean>;
  useEnrolSession(sessionId: string, nowMs: number): Promise<EnrolSession | null>;
  /** The device id of a live EK, or null. */
  deviceOfEk(ekSha256: Sha256): Promise<{ deviceId: string; akName: string } | null>;
  /**
   * A new device, or a known one that gets a new key (the old one is retired) or a new record for the key that it has; uses the code up and writes the
   * `enrolled` leaf. @throws Fault enrol.code when the code is not reserved for this TPM, used or expired; enrol.device_conflict
   */
  enrol(input: EnrolInput): Promise<void>;
  deviceByAk(akName: string): Promise<DeviceRow | null>;
  deviceById(deviceId: string): Promise<DeviceRow | null>;
  /** Another user of an enrolled device; with its leaf. Idempotent. */
  bindUser(input: { deviceId: string; userId: string; leaf: { eventId: string; draft: LeafDraft }; nowMs: number }): Promise<void>;
  /** Who may sign mandates for a device: the user who enrolled it, and those bound to it. */
  usersOfDevice(deviceId: string): Promise<string[]>;
  setDeviceAgents(deviceId: string, agents: { agentId: string; manifestSha256: Sha256; jwk: string }[]): Promise<void>;
  deviceAgents(deviceId: string): Promise<{ agentId: string; manifestSha256: Sha256; jwk: string }[]>;

  /* freshness and history */
  /** @returns false when the nonce was used before */
  consumeNonce(nonce: { value: string; deviceId: string; purpose: NoncePurpose; expiresMs: number }, nowMs: number): Promise<boolean>;
  clock(akName: string): Promise<DeviceClock | null>;
  logHead(deviceId: string, epoch: Sha256): Promise<LogHead | null>;
  latestHead(deviceId: string): Promise<LogHead | null>;
  /** Entries `from` up to but without `to`. */
  logEntries(deviceId: string, epoch: Sha256, from: number, to: number): Promise<LogRow[]>;
  /** The log of a device over all its boots and keys, newest first: at most `limit` (1 or more) records, those before a place only. None when the place is none of this device. */
  deviceLog(input: { deviceId: string; before: LogPlace | null; limit: number }): Promise<DeviceLogRow[]>;
  /** Consumes the nonce, advances clock and history, keeps the platform part and where the IMA list stands, if one was shown; false when the nonce was used or another history won. */
  acceptPlatform(input: { nonce: DecideInput['nonce']; device: NonNullable<DecideInput['device']>; deviceId: string; platformSha256: Sha256; evidence: string; appraisal: string; ima: ImaListRow | null; nowMs: number }): Promise<boolean>;
  platform(platformSha256: Sha256): Promise<{ deviceId: string; evidence: string; appraisal: string; seenMs: number } | null>;
  imaList(akName: string): Promise<ImaListRow | null>;

  /* delegation */
  addManifest(row: { manifestSha256: Sha256; agentId: string; version: string; token: string }): Promise<void>;
  manifest(manifestSha256: Sha256): Promise<{ token: string; agentId: string; version: string; revokedMs: number | null } | null>;
  /** An agent version may pay no more, and all mandates that name it are revoked; with its leaf and their statuses. After it returned, nothing more is permitted. @returns whether it is revoked now: false when it is not known */
  revokeManifest(input: { manifestSha256: Sha256; leaf: { eventId: string; draft: LeafDraft }; outbox?: readonly OutboxRow[]; nowMs: number }): Promise<boolean>;
  /** Devices that run an agent version, or hold a mandate for it. */
  devicesRunning(manifestSha256: Sha256): Promise<string[]>;
  /** The same without its token, which may be long. */
  manifestStanding(manifestSha256: Sha256): Promise<{ agentId: string; version: string; revokedMs: number | null } | null>;
  /** Opens (rev 1) or revises (rev + 1) a carrier; writes its `rules_changed` leaf. @throws Fault store.conflict */
  putCarrier(input: { carrierId: string; userId: string; currency: string; rev: number; totalMax: bigint; rulesSha256: Sha256; token: string; userSignature: string | null; leaf: { eventId: string; draft: LeafDraft }; outbox?: readonly OutboxRow[]; nowMs: number }): Promise<void>;
  /** Allocates money from the main account; what it lacks comes in from outside. Idempotent by event. @throws Fault intake.not_found (no open carrier) */
  fundCarrier(input: { eventId: string; carrierId: string; amount: bigint; nowMs: number }): Promise<void>;
  /** Moves available money back to the main account, also out of a carrier that was revoked. Idempotent by event. @throws Fault intake.not_found, carrier.funds (less is there) */
  returnFunds(input: { eventId: string; carrierId: string; amount: bigint; nowMs: number }): Promise<void>;
  carrier(carrierId: string): Promise<CarrierRow | null>;
  carriersOf(userId: string): Promise<CarrierRow[]>;
  /** The signed revisions of a carrier from the newest one with these rules up to, without, `before`, oldest first; none when no earlier one has them. */
  revisionsSince(carrierId: string, rulesSha256: Sha256, before: number): Promise<string[]>;
  /** The signed carrier as it stood in one of its revisions. */
  carrierRev(carrierId: string, rev: number): Promise<string | null>;
  /** @throws Fault store.conflict, manifest.revoked */
  addMandate(row: Omit<MandateRow, 'state' | 'uses' | 'manifestRevoked'>, outbox?: readonly OutboxRow[]): Promise<void>;
  mandate(mandateId: string): Promise<MandateRow | null>;
  mandatesOfDevice(deviceId: string): Promise<MandateRow[]>;
  putPayee(row: { payeeId: string; origin: string; scenario: string; settleAccount: string }): Promise<void>;
  /** Without an origin the id alone must name one payee. */
  payee(payeeId: string, origin: string | null): Promise<{ scenario: string; settleAccount: string } | null>;
  /** The place of a token in its status list, the same whenever it is asked for. */
  statusIndex(input: { list: string; subject: string; nowMs: number }): Promise<number>;
  /** The places of a list that are not valid, and its last one, which tells how long it is. */
  statuses(list: string): Promise<{ idx: number; value: StatusValue }[]>;
  /** Freeze, thaw or revoke a carrier, mandate or device; with its leaf and its status. After it returned, nothing more is permitted. @returns whether the subject is in that state now; revoked is for ever */
  setState(input: { subject: string; kind: 'carrier' | 'mandate' | 'device'; state: string; leaf: { eventId: string; draft: LeafDraft }; outbox?: readonly OutboxRow[]; nowMs: number }): Promise<boolean>;

  /* payments */
  authority(input: { carrierId: string; mandateId: string | null; payee: { id: string; origin: string | null }; windowsFromMs: number[] }): Promise<{ carrier: CarrierRow | null; mandate: MandateRow | null; state: AuthorityState }>;
  decide(input: DecideInput): Promise<DecideResult>;
  payment(paymentId: string): Promise<PaymentRow | null>;
  paymentByKey(deviceId: string, agentId: string, idempotencyKey: string): Promise<PaymentRow | null>;
  /** Newest first. A payment belongs to the user of its mandate, without one to the user of its device. */
  paymentsOf(filter: { userId?: string; state?: PaymentState; limit: number }): Promise<PaymentRow[]>;
  attempts(paymentId: string): Promise<AttemptRow[]>;
  /** A user's consent; writes its `confirmed` leaf. @throws Fault confirm.not_awaited */
  addConfirmation(input: { confirmationId: string; paymentId: string; keyId: string; token: string; assertion?: string | null; leaf: { eventId: string; draft: LeafDraft }; outbox?: readonly OutboxRow[]; nowMs: number }): Promise<void>;
  /** Consent that a device's payments wait for and no attempt has used: what a device is told that was away when it was given. */
  unusedConfirmations(deviceId: string): Promise<{ paymentId: string; token: string }[]>;
  confirmation(paymentId: string): Promise<{ confirmationId: string; keyId: string; token: string; assertion: string | null; consumedAttempt: number | null } | null>;

  /* offline allowances */
  /** Holds the whole amount and all payments, and writes the leaf. `store.conflict`: the mandate has one on this device that was not stopped. */
  issueAllowance(input: { allowanceId: string; carrierId: string; rev: number; stateSeq: number; mandateId: string; maxPayments: number | null; deviceId: string; akName: string; token: string; maxCount: number; maxTotal: bigint; clock: DeviceClock; ctrBase: bigint; uploadUntilMs: number; leaf: { eventId: string; draft: LeafDraft }; nowMs: number }): Promise<DecideResult>;
  allowance(allowanceId: string): Promise<AllowanceRow | null>;
  /** The one that a device may still spend. */
  liveAllowance(mandateId: string, deviceId: string): Promise<AllowanceRow | null>;
  /** What unended allowances of a carrier hold and no payment has taken. */
  heldOffline(carrierId: string): Promise<{ count: number; total: bigint }>;
  /** The device has come back: what it makes from its present counter on was not made under an allowance that began before it. Idempotent. */
  stopAllowances(deviceId: string): Promise<void>;
  /** Allowances that were stopped and still hold something. */
  stoppedAllowances(deviceId: string): Promise<AllowanceRow[]>;
  /** Allowances past the time until which payments are taken, that still hold something. */
  overdueAllowances(nowMs: number): Promise<AllowanceRow[]>;
  /** Keeps at most so much of the hold and gives the rest back to carrier and mandate; deposits the leaf at the first time. Idempotent. */
  closeAllowance(input: { allowanceId: string; keep: { count: number; total: bigint }; leaf: { eventId: string; draft: LeafDraft }; nowMs: number }): Promise<void>;
  /** Takes one value of the counter and moves the line; for a permit, the money comes out of the hold. */
  spendOffline(input: OfflineSpend): Promise<DecideResult>;

  /* settlement */
  /** Stores the token once its leaf is under a committed checkpoint; the first token of a payment wins and is returned. @throws Fault deposit.unavailable, token.expired (the money went back) */
  releaseToken(input: { jti: string; paymentId: string; reservationId: string; leafIdx: number; token: string; expiresMs: number; redeem?: Redeem | null }): Promise<string>;
  executionToken(paymentId: string): Promise<{ jti: string; token: string; reservationId: string; expiresMs: number } | null>;
  reservation(paymentId: string): Promise<{ reservationId: string; carrierId: string; amount: bigint; captured: bigint; released: bigint } | null>;
  /** The token is accepted within its life; its money waits for a later capture, until the reservation ends. Idempotent. @throws Fault intake.not_found, token.expired */
  holdRedemption(input: { jti: string; nowMs: number }): Promise<void>;
  /** First one wins. `mine:false` with the stored state for the same request; @throws Fault token.used for another request, token.expired when the money went back */
  startRedemption(input: StartInput): Promise<{ mine: boolean; state: RedemptionState; receipt: string | null }>;
  redemption(paymentId: string): Promise<RedemptionRow | null>;
  /** Captures and releases the reservation, moves the ledger, frees or uses the mandate slot, queues the leaf. Idempotent by jti: the first end stays. @throws Fault token.amount */
  finishRedemption(input: FinishInput): Promise<void>;
  receipt(paymentId: string): Promise<string | null>;
  /** All receipts of a carrier's payments and refunds. */
  receiptsOf(carrierId: string): Promise<string[]>;
  /** What a settled payment captured and for whom, and what of it was given back; refunds at work count. */
  captured(paymentId: string): Promise<{ amount: bigint; payeeAccount: string; refunded: bigint } | null>;
  /** First one wins; `mine:false` for the same refund again. @throws Fault refund.amount (more than is left), refund.not_settled, store.conflict (another refund under this id) */
  startRefund(input: { refundId: string; paymentId: string; amount: bigint; nowMs: number }): Promise<{ mine: boolean; refund: RefundRow }>;
  /** Moves the money from payee to carrier when it was settled, queues the leaf. Idempotent: the first end stays. It never gives back the allowance of a rule. */
  finishRefund(input: { refundId: string; outcome: 'settled' | 'failed'; receipt: string | null; leaf: { eventId: string; draft: LeafDraft } | null; nowMs: number }): Promise<void>;
  refunds(paymentId: string): Promise<RefundRow[]>;
  unfinishedRefunds(): Promise<RefundRow[]>;
  /** Reservations of payments that were permitted and never settled, past their life: released, slot freed. @returns what expired now */
  expireReservations(nowMs: number): Promise<{ paymentId: string; deviceId: string }[]>;
  /** Payments that were permitted and have not ended (leaf still queued, no token yet, no receipt yet): what a crash left. Oldest first. */
  unfinished(): Promise<PaymentRow[]>;

  /* deposit chain */
  queueLeaf(leaf: { eventId: string; draft: LeafDraft }, nowMs: number): Promise<void>;
  /** One sequencing step: takes queued leaves, gives them chain positions, and commits leaves, size and signed checkpoint together. `build` is pure and may be called again. */
  sequence(origin: string, max: number, build: (state: { size: number; frontier: string }, leaves: string[]) => { size: number; frontier: string; root: Sha256; note: string }): Promise<StoredLeaf[]>;
  leafByEvent(eventId: string): Promise<StoredLeaf | null>;
  leavesOfPayment(paymentSha256: Sha256): Promise<StoredLeaf[]>;
  /** Leaves `from` up to but without `to`. */
  leaves(from: number, to: number): Promise<StoredLeaf[]>;
  /** All leaves of one chain, from its first. */
  chain(chain: string): Promise<StoredLeaf[]>;
  checkpoint(size?: number): Promise<{ size: number; root: Sha256; note: string } | null>;
  /** Keeps what a witness signed about a checkpoint, in place of what it said before. @throws Fault intake.not_found */
  putCosignature(row: { size: number; witness: string; line: string }): Promise<void>;
  /** The signature lines of witnesses of a checkpoint, in the order of their names. */
  cosignatures(size: number): Promise<string[]>;

  /* telling devices and users: a verb that takes `outbox` writes those rows in its own transaction */
  putOutbox(rows: readonly OutboxRow[]): Promise<void>;
  /** Rows since a time, oldest first. */
  outbox(fromMs: number): Promise<OutboxRow[]>;
  clearOutbox(beforeMs: number): Promise<void>;
  /** Devices that hold a mandate on a carrier which has not ended. */
  devicesPaying(carrierId: string): Promise<string[]>;
  /** Devices that a user enrolled or was bound to. */
  devicesOf(userId: string): Promise<string[]>;
  /** Leaves of a user's carriers and devices from a place in the log on, at most `limit`, in the order of the log. */
  eventsOf(input: { userId: string; from: number; limit: number }): Promise<UserEvent[]>;

  /* policies, keys, idempotency */
  putPolicy(row: { policySha256: Sha256; id: string; version: number; stage: string; token: string }): Promise<void>;
  policy(policySha256: Sha256): Promise<string | null>;
  /** The token of the policy with the highest version, whatever its id; null when there is none. */
  newestPolicy(): Promise<string | null>;
  putKey(row: { kid: string; role: string; jwk: string; fromMs: number }): Promise<void>;
  keys(): Promise<{ kid: string; role: string; jwk: string; retiredMs: number | null }[]>;
  /** The sum over all accounts; zero by construction. For tests and audits. */
  ledgerSum(): Promise<bigint>;
}
