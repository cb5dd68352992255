/** What one ruling leaves behind: the signed decision, its leaf, what the store has to carry out, and what the device is told. All from one draft, so that they agree. */
import { hashOf, stringify } from '../src/base/shape.js';
import { maxPayments, type Ruling } from '../src/law/index.js';
import { authorityState } from '../src/objects/carrier.js';
import type { Decision } from '../src/objects/decision.js';
import { paymentEvidence } from '../src/objects/evidence.js';
import { intent as intentShape } from '../src/objects/intent.js';
import { tokenHash } from '../src/objects/signed.js';
import type { Answer } from './answer.js';
import type { Appraisal } from './appraise.js';
import { freshId, type Verifier } from './context.js';
import { decisionEvent } from './events.js';
import type { Asked, Inputs } from './inputs.js';
import { leafDraft } from './leaves.js';
import type { DecideInput, DeviceRow, LeafDraft } from './store/verbs.js';

/** A payment that was made offline was promised to its payee: a crash may delay its token, and never takes it. */
const DECISION_LIFE_S = 120;
/** A reservation outlives decision and token, so that no token stands without its money, and lasts until the payee may no longer capture. */
const RESERVATION_MS = 600_000;

/** A ruling on inputs that may have moved meanwhile; the store says whether they have. */
export interface Ruled { readonly asked: Asked; readonly row: DeviceRow; readonly inputs: Inputs; readonly appraisal: Appraisal; readonly ruling: Ruling; readonly nowMs: number }
export interface Draft extends Ruled { readonly decision: string }

const earHash = (appraisal: Appraisal): string | null => (appraisal.authentic ? tokenHash(appraisal.ear) : null);

export function decisionOf(v: Verifier, { asked, inputs, appraisal, ruling, nowMs }: Ruled): Decision {
  const iat = Math.floor(nowMs / 1000);
  return {
    iss: v.config.issuers.verifier, jti: freshId(v, 'evt'), iat, exp: Math.max(iat + DECISION_LIFE_S, inputs.allowance?.value.uploadUntil ?? 0), paymentId: asked.paymentId, attempt: asked.attempt, ...ruling,
    inputs: {
      paymentSha256: inputs.paymentSha256, mandateSha256: inputs.mandateSha256, closedSha256: inputs.closedSha256, carrierSha256: inputs.carrier?.sha256 ?? null,
      revisionsSha256: inputs.revisions.map(({ sha256 }) => sha256), userKids: [...inputs.userKids], earSha256: earHash(appraisal), confirmationSha256: inputs.confirmation?.opened.sha256 ?? null,
      ...(inputs.allowance && { allowanceSha256: inputs.allowance.sha256 }), stateSha256: hashOf(authorityState, inputs.state), nowMs,
    },
    policy: { id: inputs.policy.value.id, version: inputs.policy.value.version, sha256: inputs.policy.sha256 },
  };
}

/** @throws TypeError for a draft of evidence that is not authentic */
export function decideInput(v: Verifier, draft: Draft, nonce: DecideInput['nonce']): DecideInput {
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
  return { reservationId: freshId(v, 'rsv'), carrierId, rev, stateSeq, amount: asked.intent.amount.amount, mandateId: jti, maxPayments: maxPayments(ruling.level, task.maxPayments), expiresMs: Math.max(nowMs + RESERVATION_MS, (asked.intent.captureUntil ?? 0) * 1000) };
}

/** The state of the payment and the kind of its leaf. */
const STATE = { permit: 'permitted', confirm: 'confirm_required', deny: 'denied' } as const;

export function leafOf(v: Verifier, { row, inputs, appraisal, ruling, nowMs, decision }: Draft): { eventId: string; draft: LeafDraft } {
  return {
    eventId: decisionEvent(decision, nowMs),
    draft: leafDraft(v, {
      kind: STATE[ruling.decision], chain: inputs.state.carrier?.carrierId ?? row.deviceId, tsMs: nowMs, code: ruling.code, payment: inputs.paymentSha256,
      mandate: inputs.mandateSha256, carrier: inputs.carrier?.sha256 ?? null, ear: earHash(appraisal), confirmation: inputs.confirmation?.opened.sha256 ?? null, decision: tokenHash(decision),
    }),
  };
}

/** What the device is told once the leaf is deposited. */
export function answerOf({ asked, inputs, appraisal, ruling, nowMs, decision }: Draft): Answer {
  return {
    permitted: ruling.decision === 'permit',
    eventId: decisionEvent(decision, nowMs),
    userKids: inputs.userKids,
    body: {
      paymentId: asked.paymentId, attempt: asked.attempt, state: STATE[ruling.decision],
      decision, ear: appraisal.authentic ? appraisal.ear : null, carrier: inputs.carrier?.token ?? null, revisions: inputs.revisions.map(({ token }) => token), policy: inputs.policy.token,
      authority: inputs.state, confirmation: inputs.confirmation?.opened.token ?? null, userAssertion: inputs.confirmation?.assertion ?? null,
    },
  };
}
