/**
 * Offline payments as they are brought: appraised, adjudicated and deposited like any other, but against the line of their allowance instead of the present
 * of the device. The adversary is a device that shows a payment twice, in another order, more of them than it may, or from a copy of itself.
 */
import { type Finding, fault, finding } from '../../src/base/fault.js';
import { parse, stringify } from '../../src/base/shape.js';
import { adjudicate } from '../../src/law/index.js';
import type { LinkBody } from '../../src/link.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance, offlineNonce } from '../../src/objects/allowance.js';
import { authorityState, CARRIER } from '../../src/objects/carrier.js';
import { DECISION } from '../../src/objects/decision.js';
import { EVIDENCE_PROFILE, type Evidence, type LogEntry, logEntry, paymentEvidence } from '../../src/objects/evidence.js';
import { intent as intentShape, paymentHash } from '../../src/objects/intent.js';
import { open, seal, type Verified } from '../../src/objects/signed.js';
import { entryDigest } from '../../attest/log.js';
import { type Answer, storedAnswer } from '../answer.js';
import { type Appraisal, appraiseAs, broken, expectedOf } from '../appraise.js';
import { freshId, type Verifier } from '../context.js';
import { answerOf, decisionOf, type Draft, leafOf } from '../draft.js';
import { type Asked, type Inputs, readInputs } from '../inputs.js';
import type { AllowanceRow, DecideResult, DeviceRow } from '../store/verbs.js';

type Brought = LinkBody<'offline'>;

const TRIES = 5;

interface Bringing { readonly row: DeviceRow; readonly body: Brought; readonly asked: Asked; readonly allowance: Verified<OfflineAllowance>; readonly line: AllowanceRow; readonly build: string }

/**
 * Decides a payment that was made offline; brought again, it gets the stored answer.
 * @throws Fault token.*, intake.not_found (an allowance of another device), intake.idempotency_conflict, carrier.busy
 */
export async function bring(v: Verifier, row: DeviceRow, body: Brought, build: string): Promise<Answer> {
  const allowance = open(OFFLINE_ALLOWANCE, body.allowance, v.trust.keys);
  const { paymentId, intent, mandate, closedMandate, evidence } = body;
  const asked: Asked = { paymentId, attempt: 1, intent, mandate, closedMandate, evidence, findings: [] };
  for (let tries = 0; tries < TRIES; tries++) {
    const repeated = await repeatOf(v, row, body);
    if (repeated) return repeated;
    const line = await v.store.allowance(allowance.value.jti);
    if (line?.deviceId !== row.deviceId || line.token !== allowance.token) throw fault('intake.not_found', { what: `offline allowance ${allowance.value.jti}` });
    const draft = await judge(v, { row, body, asked, allowance, line, build });
    const stored = await store(v, draft, line);
    if (stored.ok) return answerOf(draft);
    if (!stored.retry) throw fault('intake.idempotency_conflict');
  }
  throw fault('carrier.busy');
}

async function repeatOf(v: Verifier, row: DeviceRow, { paymentId, intent }: Brought): Promise<Answer | null> {
  const before = await v.store.payment(paymentId);
  if (!before) return null;
  if (before.deviceId !== row.deviceId || before.paymentSha256 !== paymentHash(intent)) throw fault('intake.idempotency_conflict');
  const last = (await v.store.attempts(paymentId)).at(-1);
  return last ? storedAnswer(v, before, last) : null;
}

async function judge(v: Verifier, bringing: Bringing): Promise<Draft> {
  const { row, asked, allowance, build } = bringing;
  const inputs = await readOffline(v, bringing);
  const appraisal = await appraiseOffline(v, bringing, inputs, build);
  const nowMs = v.now();
  const { agent } = asked.evidence;
  const clock = appraisal.authentic ? appraisal.result.next?.clock : undefined;
  const made = clock && clock.ctr !== null ? { ctr: clock.ctr, clock: clock.clock } : null;
  const ruling = adjudicate({
    intent: asked.intent, paymentSha256: inputs.paymentSha256, mandate: inputs.mandate, mandateFault: inputs.mandateFault, closed: inputs.closed, carrier: inputs.carrier, revisions: inputs.revisions,
    state: inputs.state, appraisal: appraisal.appraised, agent: appraisal.authentic ? { agentId: agent.agentId, manifestSha256: agent.manifestSha256 } : null,
    policy: inputs.policy.value, confirmation: null, offline: { allowance: allowance.value, made }, nowMs,
  });
  const ruled = { asked, row, inputs, appraisal, ruling, nowMs };
  return { ...ruled, decision: seal(DECISION, decisionOf(v, ruled), v.keys.verifier) };
}

/** The carrier as it was when the allowance was issued; and the device as it stood after the last payment of this allowance. */
async function readOffline(v: Verifier, { row, asked, allowance, line }: Bringing): Promise<Inputs> {
  const inputs = await readInputs(v, row, asked);
  const { carrierId, carrierRev } = allowance.value;
  const token = await v.store.carrierRev(carrierId, carrierRev);
  const known = inputs.mandate !== null && inputs.state.carrier?.carrierId === carrierId && token !== null;
  const carrier = known ? open(CARRIER, token, v.trust.keys) : null;
  const rulesSha256 = inputs.mandate?.mandate.value.carrier.rulesSha256;
  const revisions = carrier && rulesSha256 !== undefined ? (await v.store.revisionsSince(carrierId, rulesSha256, carrierRev)).map((one) => open(CARRIER, one, v.trust.keys)) : [];
  const state = {
    ...inputs.state, carrier: inputs.state.carrier && { ...inputs.state.carrier, rev: carrierRev },
    allowance: { allowanceId: line.allowanceId, count: line.count, spent: line.spent, ctrLast: line.clock.ctr ?? line.ctrBase, ctrEnd: line.ctrEnd },
  };
  return { ...inputs, carrier, revisions, state, confirmation: null, allowance, device: { ...inputs.device, state: 'enrolled', clock: line.clock, head: null, latest: null } };
}

/**
 * The log begins with what this verifier holds of it, so that no other history of the boot can stand in its place. The key is the one that had the allowance:
 * the counter of another key says nothing of what was paid under it.
 */
async function appraiseOffline(v: Verifier, { row, body, asked, allowance }: Bringing, inputs: Inputs, build: string): Promise<Appraisal> {
  if (allowance.value.akName !== row.akName) return broken(finding('offline.other', { what: 'attestation key' }), row.simulated);
  const earlier = await knownLog(v, row, asked);
  if (!Array.isArray(earlier)) return broken(earlier, row.simulated);
  const { ctr } = asked.evidence.binding;
  if (ctr === null) return broken(finding('ctr.missing'), row.simulated);
  const evidence: Evidence = { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: row.akName, platform: body.platform, payment: asked.evidence };
  const expected = { ...expectedOf(v, asked, inputs), nonce: offlineNonce(allowance.value.jti, ctr), ctr };
  return appraiseAs(v, row, { evidence, expected, device: inputs.device, platform: null, manifest: inputs.manifest, policy: inputs.policy.value, earlier }, build);
}

/** The records before those that came along, as they are known here; a finding when those that came differ from what is known. */
async function knownLog(v: Verifier, { deviceId }: DeviceRow, { evidence: { log: { epoch, from, entries } } }: Asked): Promise<LogEntry[] | Finding> {
  const rows = await v.store.logEntries(deviceId, epoch, 0, from + entries.length);
  if (rows.length < from || rows.length === 0) return finding('log.gap', { from, known: rows.length });
  const forked = entries.findIndex((entry, i) => { const known = rows[from + i]; return known !== undefined && known.digest !== entryDigest(entry).toString('hex'); });
  if (forked !== -1) return finding('log.fork', { n: from + forked });
  return rows.slice(0, from).map(({ entry }) => parse(logEntry, entry));
}

/** Authentic evidence takes its value of the counter, whatever was decided. Evidence that is not proves nothing about anyone: its denial is deposited, no more. */
async function store(v: Verifier, draft: Draft, allowance: AllowanceRow): Promise<DecideResult> {
  const { asked, row, inputs, appraisal, ruling, nowMs, decision } = draft;
  if (!appraisal.authentic || !appraisal.result.next) {
    await v.store.queueLeaf(leafOf(v, draft), nowMs);
    return { ok: true };
  }
  return v.store.spendOffline({
    allowance, akName: row.akName, clock: appraisal.result.next.clock, nonce: { value: asked.evidence.binding.nonce }, reservationId: freshId(v, 'rsv'),
    payment: {
      paymentId: asked.paymentId, deviceId: row.deviceId, agentId: asked.evidence.agent.agentId, idempotencyKey: asked.intent.idempotencyKey, requestSha256: inputs.paymentSha256, paymentSha256: inputs.paymentSha256,
      intent: stringify(intentShape, asked.intent), mandateId: inputs.state.mandate?.mandateId ?? null, carrierId: inputs.state.carrier?.carrierId ?? null,
    },
    attempt: { n: 1, evidence: stringify(paymentEvidence, asked.evidence), ear: appraisal.ear, stateJson: stringify(authorityState, inputs.state), decision, decisionKind: ruling.decision, decidedMs: nowMs },
    code: ruling.code, amount: ruling.decision === 'permit' ? asked.intent.amount.amount : null, stateSeq: inputs.state.carrier?.stateSeq ?? null, leaf: leafOf(v, draft), nowMs,
  });
}
