/**
 * The payment path of the verifier: rows 9 to 11 of the design's table. What is decided here is stored with its leaf queued, in one transaction, and told
 * to nobody before that leaf is deposited (answer.ts); money moves after that (settle.ts).
 */
import { fault } from '../src/base/fault.js';
import { hashOf, stringify } from '../src/base/shape.js';
import type { Code } from '../src/codes.js';
import { adjudicate, maxPayments, type Ruling } from '../src/law/index.js';
import { authorityState } from '../src/objects/carrier.js';
import { DECISION, type Decision } from '../src/objects/decision.js';
import { paymentEvidence } from '../src/objects/evidence.js';
import { intent as intentShape } from '../src/objects/intent.js';
import { seal, tokenHash } from '../src/objects/signed.js';
import { type Answer, storedAnswer } from './answer.js';
import { type Appraisal, appraise, broken, nonceRefusal } from './appraise.js';
import { freshId, freshSalt, type Verifier } from './context.js';
import { decisionEvent } from './events.js';
import { type Asked, type Inputs, readInputs } from './inputs.js';
import type { DecideInput, DecideResult, DeviceRow, LeafDraft, PaymentRow } from './store/verbs.js';

/** Payments that race for one carrier: each loses to at least one other, so a handful of tries is many. */
const TRIES = 5;
const DECISION_LIFE_S = 120;
/** A reservation outlives decision and token, so that no token stands without its money. */
const RESERVATION_MS = 600_000;

/** A ruling made on inputs that may have moved meanwhile; the store says whether they have. */
interface Draft { readonly asked: Asked; readonly row: DeviceRow; readonly inputs: Inputs; readonly appraisal: Appraisal; readonly ruling: Ruling; readonly nowMs: number; readonly decision: string }

/**
 * Decides one attempt of a payment. A message that repeats a decided attempt gets the stored answer; nothing is decided twice.
 * @throws Fault intake.idempotency_conflict, carrier.busy
 */
export async function decide(v: Verifier, row: DeviceRow, asked: Asked, sidecarVersion: string): Promise<Answer> {
  const before = await v.store.paymentByKey(row.deviceId, asked.evidence.agent.agentId, asked.intent.idempotencyKey);
  const repeated = before && (await repeatOf(v, before, asked));
  if (repeated) return repeated;
  const nonce = v.nonces.check(asked.evidence.binding.nonce, row.deviceId, v.now());
  if (!nonce.ok) return deny(v, row, asked, nonce.code);
  for (let tries = 0; tries < TRIES; tries++) {
    const inputs = await readInputs(v, row, asked);                                   // known device, mandate, carrier, state
    const appraisal = await appraise(v, row, asked, inputs, sidecarVersion);          // 9 appraise
    const draft = rule(v, { asked, row, inputs, appraisal });                         // 10 adjudicate
    const stored = await store(v, draft, nonce.expiresMs);                            // 11 consume, advance, reserve, queue the leaf
    if (stored.ok) return answerOf(v, draft);
    if (!stored.retry) return refused(v, row, asked, stored.code);
  }
  throw fault('carrier.busy');
}

/** The stored answer, unless this is the next attempt of a payment that the user has confirmed meanwhile, or evidence under another payment's name. */
async function repeatOf(v: Verifier, before: PaymentRow, asked: Asked): Promise<Answer | null> {
  const { inputs, last } = { inputs: hashOf(intentShape, asked.intent), last: (await v.store.attempts(before.paymentId)).at(-1) };
  if (before.paymentSha256 !== inputs) throw fault('intake.idempotency_conflict');
  if (before.paymentId !== asked.paymentId || !last) return null;
  const confirmed = before.state === 'confirm_required' && asked.attempt === last.n + 1 && (await v.store.confirmation(before.paymentId))?.consumedAttempt === null;
  return confirmed ? null : storedAnswer(v, before, last);
}

function rule(v: Verifier, { asked, row, inputs, appraisal }: Pick<Draft, 'asked' | 'row' | 'inputs' | 'appraisal'>): Draft {
  const nowMs = v.now();
  const { agent } = asked.evidence;
  const ruling = adjudicate({
    intent: asked.intent, paymentSha256: inputs.paymentSha256, mandate: inputs.mandate, mandateFault: inputs.mandateFault, closed: inputs.closed, carrier: inputs.carrier,
    state: inputs.state, appraisal: appraisal.appraised, agent: appraisal.authentic ? { agentId: agent.agentId, manifestSha256: agent.manifestSha256 } : null,
    policy: v.trust.policy().value, confirmation: inputs.confirmation?.opened ?? null, nowMs,
  });
  const draft = { asked, row, inputs, appraisal, ruling, nowMs };
  return { ...draft, decision: seal(DECISION, decisionOf(v, draft), v.keys.verifier) };
}

function decisionOf(v: Verifier, { asked, inputs, appraisal, ruling, nowMs }: Omit<Draft, 'decision'>): Decision {
  const iat = Math.floor(nowMs / 1000);
  const policy = v.trust.policy();
  return {
    iss: v.config.issuers.verifier, jti: freshId(v, 'evt'), iat, exp: iat + DECISION_LIFE_S, paymentId: asked.paymentId, attempt: asked.attempt, ...ruling,
    inputs: {
      paymentSha256: inputs.paymentSha256, mandateSha256: inputs.mandateSha256, closedSha256: inputs.closedSha256, carrierSha256: inputs.carrier?.sha256 ?? null,
      earSha256: appraisal.authentic ? tokenHash(appraisal.ear) : null, confirmationSha256: inputs.confirmation?.opened.sha256 ?? null,
      stateSha256: hashOf(authorityState, inputs.state), nowMs,
    },
    policy: { id: policy.value.id, version: policy.value.version, sha256: policy.sha256 },
  };
}

/** Authentic evidence moves everything or nothing. Evidence that is not proves nothing about anyone: its nonce is spent, its denial deposited, no more. */
async function store(v: Verifier, draft: Draft, expiresMs: number): Promise<DecideResult> {
  const { asked, row, appraisal, nowMs } = draft;
  const nonce = { value: asked.evidence.binding.nonce, deviceId: row.deviceId, purpose: 'payment', expiresMs } as const;
  if (appraisal.authentic) return v.store.decide(decideInput(v, draft, nonce));
  if (!(await v.store.consumeNonce(nonce, nowMs))) return { ok: false, retry: false, code: 'nonce.used' };
  await v.store.queueLeaf(leafOf(v, draft), nowMs);
  return { ok: true };
}

function decideInput(v: Verifier, draft: Draft, nonce: DecideInput['nonce']): DecideInput {
  const { asked, row, inputs, appraisal, ruling, nowMs, decision } = draft;
  if (!appraisal.authentic || !appraisal.result.next) throw new TypeError('only authentic evidence moves a device');
  const { clock, head, entries } = appraisal.result.next;
  return {
    nonce,
    device: { akName: row.akName, before: inputs.device.clock, after: clock, head, entries },
    payment: {
      paymentId: asked.paymentId, deviceId: row.deviceId, agentId: asked.evidence.agent.agentId, idempotencyKey: asked.intent.idempotencyKey,
      requestSha256: inputs.paymentSha256, paymentSha256: inputs.paymentSha256, intent: stringify(intentShape, asked.intent),
      mandateId: inputs.state.mandate?.mandateId ?? null, carrierId: inputs.state.carrier?.carrierId ?? null,
    },
    attempt: {
      n: asked.attempt, evidence: stringify(paymentEvidence, asked.evidence), ear: appraisal.ear, stateJson: stringify(authorityState, inputs.state),
      decision, decisionKind: ruling.decision, decidedMs: nowMs,
    },
    code: ruling.code,
    reserve: reservationOf(v, draft),
    confirmationId: ruling.decision === 'permit' ? (inputs.confirmation?.id ?? null) : null,
    leaf: leafOf(v, draft),
    nowMs,
  };
}

function reservationOf(v: Verifier, { asked, inputs: { state, mandate }, ruling, nowMs }: Draft): DecideInput['reserve'] {
  if (ruling.decision !== 'permit' || !state.carrier || !mandate) return null;
  const { carrierId, rev, stateSeq } = state.carrier;
  const { jti, task } = mandate.mandate.value;
  return { reservationId: freshId(v, 'rsv'), carrierId, rev, stateSeq, amount: asked.intent.amount.amount, mandateId: jti, maxPayments: maxPayments(ruling.level, task.maxPayments), expiresMs: nowMs + RESERVATION_MS };
}

const LEAF_KIND = { permit: 'permitted', confirm: 'confirm_required', deny: 'denied' } as const;

function leafOf(v: Verifier, { asked, row, inputs, appraisal, ruling, nowMs, decision }: Draft): { eventId: string; draft: LeafDraft } {
  return {
    eventId: decisionEvent(asked.paymentId, asked.attempt, nowMs),
    draft: {
      kind: LEAF_KIND[ruling.decision], v: 'ari-deposit-1', salt: freshSalt(v), chain: inputs.state.carrier?.carrierId ?? row.deviceId, tsMs: nowMs, code: ruling.code,
      payment: inputs.paymentSha256, mandate: inputs.mandateSha256, carrier: inputs.carrier?.sha256 ?? null, ear: appraisal.authentic ? tokenHash(appraisal.ear) : null,
      confirmation: inputs.confirmation?.opened.sha256 ?? null, decision: tokenHash(decision), execution: null, receipt: null, subject: null,
    },
  };
}

function answerOf(v: Verifier, { asked, inputs, appraisal, ruling, nowMs, decision }: Draft): Answer {
  return {
    permitted: ruling.decision === 'permit',
    eventId: decisionEvent(asked.paymentId, asked.attempt, nowMs),
    body: {
      paymentId: asked.paymentId, attempt: asked.attempt, state: LEAF_KIND[ruling.decision] === 'permitted' ? 'permitted' : ruling.decision === 'confirm' ? 'confirm_required' : 'denied',
      decision, ear: appraisal.authentic ? appraisal.ear : null, carrier: inputs.carrier?.token ?? null, policy: v.trust.policy().token,
      authority: inputs.state, confirmation: inputs.confirmation?.opened.token ?? null,
    },
  };
}

/** What the store refused for good. A nonce is the evidence's fault and is denied as such; the rest is another payment under this one's name. */
function refused(v: Verifier, row: DeviceRow, asked: Asked, code: Code): Promise<Answer> {
  if (code === 'nonce.used' || code === 'nonce.expired') return deny(v, row, asked, code);
  if (code.startsWith('log.')) throw fault('log.fork', { n: asked.evidence.log.from });
  throw fault('intake.idempotency_conflict');
}

/** The denial of evidence whose nonce is not good: decided by the same law, deposited, and nothing else moves. */
async function deny(v: Verifier, row: DeviceRow, asked: Asked, code: Extract<Code, `nonce.${string}`>): Promise<Answer> {
  const inputs = await readInputs(v, row, asked);
  const draft = rule(v, { asked, row, inputs, appraisal: broken(nonceRefusal(code), row.simulated) });
  await v.store.queueLeaf(leafOf(v, draft), draft.nowMs);
  return answerOf(v, draft);
}
