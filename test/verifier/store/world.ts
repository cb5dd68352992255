/** A small world in a store: users, devices, a funded carrier, mandates; and decisions about payments as the service would write them. */
import { type LogHead, type LogRow } from '../../../attest/types.js';
import { sha256 } from '../../../src/base/bytes.js';
import { appendLeaves } from '../../../src/deposit/checkpoint.js';
import { logSigner } from '../../../src/deposit/note.js';
import type { DecideInput, DecideResult, EnrolCode, EnrolInput, LeafDraft, Store } from '../../../verifier/store/verbs.js';

export const NOW = 1_800_000_000_000;
export const ORIGIN = 'log.example/1';
export const build = appendLeaves(logSigner(ORIGIN, Buffer.alloc(32, 7)));

const nothing = { code: null, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null };
export const draft = (kind: LeafDraft['kind'], chain = 'crr_1', over: Partial<LeafDraft> = {}): LeafDraft =>
  ({ kind, v: 'ari-deposit-1', salt: 'AAAAAAAAAAAAAAAAAAAAAA', chain, tsMs: NOW, ...nothing, ...over }) as LeafDraft;
export const leaf = (eventId: string, kind: LeafDraft['kind'], chain?: string, over?: Partial<LeafDraft>) => ({ eventId, draft: draft(kind, chain, over) });

/** Entries 0..length-1 of one history; `fork` names another history of the same epoch. */
export const logRows = (length: number, fork = ''): LogRow[] => Array.from({ length }, (_, n) => ({ n, digest: sha256(`${fork}${n}`), entry: `{"n":${n}}` }));
export const headAt = (device: string, nextN: number, over: Partial<LogHead> = {}): LogHead => ({ epoch: sha256(`epoch ${device}`), nextN, register: `r${nextN}`, resetCount: 5, restartCount: 0, ...over });

let codes = 0;
export type Enrolment = Partial<EnrolInput & EnrolCode>;

/** What the service would write for a device whose proof held: with a code of its own, which is reserved for its TPM. */
export async function enrolmentOf(store: Store, device: string, { userId = 'usr_1', reEnrol = false, ...over }: Enrolment = {}): Promise<EnrolInput> {
  const input: EnrolInput = {
    codeSha256: sha256(`code ${++codes}`), deviceId: `dev_${device}`, ekSha256: sha256(`ek ${device}`), providerSha256: null, simulated: true, akName: `ak_${device}`, record: `record ${device}`,
    before: null, clock: { resetCount: 5, restartCount: 0, clock: 1000n, seq: 0, ctr: 1n, attestSha256: sha256('a') }, head: headAt(device, 1), entries: logRows(1),
    leaf: leaf(`evt_enrol_${device}`, 'enrolled', `dev_${device}`), nowMs: NOW, ...over,
  };
  if (over.codeSha256 === undefined) await store.addEnrolCode({ codeSha256: input.codeSha256, userId, expiresMs: NOW + 600_000, reEnrol });
  const { codeSha256, ekSha256, akName } = input;
  await store.openEnrolSession({ sessionId: `session ${++codes}`, ekSha256, akName, secretMac: 'mac', codeSha256, expiresMs: NOW + 60_000, nowMs: NOW });
  return input;
}

export const enrolDevice = async (store: Store, device: string, over?: Enrolment): Promise<void> => store.enrol(await enrolmentOf(store, device, over));

export const carrierInput = (carrierId: string, over: Partial<Parameters<Store['putCarrier']>[0]> = {}): Parameters<Store['putCarrier']>[0] => ({
  carrierId, userId: 'usr_1', currency: 'CNY', rev: 1, totalMax: 1000n, rulesSha256: sha256('rules'), token: `carrier ${carrierId}`, userSignature: 'signed',
  leaf: leaf(`evt_${carrierId}_${over.rev ?? 1}`, 'rules_changed', carrierId), nowMs: NOW, ...over,
});

export async function openCarrier(store: Store, carrierId: string, amount: bigint, over: Parameters<typeof carrierInput>[1] = {}): Promise<void> {
  await store.putCarrier(carrierInput(carrierId, over));
  await store.fundCarrier({ eventId: `first ${carrierId}`, carrierId, amount, nowMs: NOW });
}

export const mandateRow = (mandateId: string, device: string, over: Partial<Parameters<Store['addMandate']>[0]> = {}): Parameters<Store['addMandate']>[0] => ({
  mandateId, mandateSha256: sha256(mandateId), userId: 'usr_1', carrierId: 'crr_1', deviceId: `dev_${device}`, agentId: 'agent', manifestSha256: sha256('manifest'),
  level: 'L3', maxPayments: 100, token: `mandate ${mandateId}`, expMs: NOW + 1_000_000, ...over,
});

/** One user, one device `1`, carrier `crr_1` of CNY 1000 with 100 in it, mandate `mnd_1`. */
export async function settle(store: Store): Promise<void> {
  await store.addUser({ userId: 'usr_1', kind: 'person', nowMs: NOW });
  await enrolDevice(store, '1');
  await openCarrier(store, 'crr_1', 100n);
  await store.addMandate(mandateRow('mnd_1', '1'));
}

export interface Asked { payment: string; amount?: bigint; n?: number; nonce?: string; device?: string; mandateId?: string | null; carrierId?: string; nowMs?: number }
type Kind = DecideInput['attempt']['decisionKind'];

/** What the service would write for a decision of this kind, on what the store says now. */
export async function decisionOf(store: Store, kind: Kind, { payment, amount = 10n, n = 1, nonce = `nonce ${payment} ${n}`, device = '1', mandateId = 'mnd_1', carrierId = 'crr_1', nowMs = NOW }: Asked): Promise<DecideInput> {
  const before = await store.clock(`ak_${device}`);
  const head = await store.latestHead(`dev_${device}`);
  const { carrier, mandate } = await store.authority({ carrierId, mandateId, payee: { id: 'shop', origin: null }, windowsFromMs: [] });
  if (!before || !head || !carrier) throw new Error('the world is not settled');
  const paymentId = `pay_${payment}`;
  return {
    nonce: { value: nonce, deviceId: `dev_${device}`, purpose: 'payment', expiresMs: nowMs + 60_000 },
    device: { akName: `ak_${device}`, before, after: { ...before, clock: before.clock + 1n, seq: before.seq + 1, attestSha256: sha256(nonce) }, head, entries: [] },
    payment: { paymentId, deviceId: `dev_${device}`, agentId: 'agent', idempotencyKey: `key ${payment}`, requestSha256: sha256(`request ${payment}`), paymentSha256: sha256(paymentId), intent: '{}', mandateId, carrierId },
    attempt: { n, evidence: '{}', ear: 'ear', stateJson: '{}', decision: `decision ${n}`, decisionKind: kind, decidedMs: nowMs },
    code: kind === 'permit' ? null : 'decision.confirm_needed',
    reserve: kind !== 'permit' ? null : { reservationId: `rsv_${payment}`, carrierId, rev: carrier.rev, stateSeq: carrier.stateSeq, amount, mandateId, maxPayments: mandate?.maxPayments ?? null, expiresMs: nowMs + 300_000 },
    confirmationId: null,
    leaf: leaf(`evt_${payment}_${n}`, kind === 'permit' ? 'permitted' : kind === 'confirm' ? 'confirm_required' : 'denied', carrierId, { payment: sha256(paymentId) }),
    nowMs,
  };
}

export const permit = async (store: Store, asked: Asked): Promise<DecideResult> => store.decide(await decisionOf(store, 'permit', asked));

/** The service's loop: adjudicates on what is there, decides, and adjudicates again when something moved meanwhile. */
export async function adjudicate(store: Store, asked: Asked): Promise<Kind | 'busy'> {
  for (let left = 5; left > 0; left--) {
    const { carrier, mandate } = await store.authority({ carrierId: asked.carrierId ?? 'crr_1', mandateId: asked.mandateId ?? 'mnd_1', payee: { id: 'shop', origin: null }, windowsFromMs: [] });
    const fits = carrier?.state === 'active' && mandate?.state === 'valid' && (asked.amount ?? 10n) <= carrier.available && mandate.uses < (mandate.maxPayments ?? Infinity);
    const kind = fits ? 'permit' : 'deny';
    const result = await store.decide(await decisionOf(store, kind, asked));
    if (result.ok) return kind;
    if (!result.retry) throw new Error(result.code);
  }
  return 'busy';
}

/** From permit to a released token, the way recovery does it too. @returns the token's jti */
export async function release(store: Store, payment: string, jti = `tok_${payment}`): Promise<string> {
  await store.sequence(ORIGIN, 100, build);
  const deposited = await store.leafByEvent(`evt_${payment}_1`);
  if (!deposited) throw new Error('the leaf is not in the log');
  return store.releaseToken({ jti, paymentId: `pay_${payment}`, reservationId: `rsv_${payment}`, leafIdx: deposited.idx, token: `token ${jti}`, expiresMs: NOW + 120_000 });
}

export const finish = (payment: string, over: Partial<Parameters<Store['finishRedemption']>[0]> = {}): Parameters<Store['finishRedemption']>[0] => ({
  jti: `tok_${payment}`, paymentId: `pay_${payment}`, outcome: 'settled', captured: 10n, payeeAccount: 'shop', receipt: `receipt ${payment}`, code: null,
  leaf: leaf(`evt_settled_${payment}`, 'settled', 'crr_1', { payment: sha256(`pay_${payment}`) }), nowMs: NOW, ...over,
});
