/**
 * The payment path of the verifier: rows 9 to 11 of the design's table. What is decided here is stored with its leaf queued, in one transaction, and told
 * to nobody before that leaf is deposited (answer.ts); money moves after that (settle.ts).
 */
import { fault } from '../src/base/fault.js';
import type { Code } from '../src/codes.js';
import { adjudicate } from '../src/law/index.js';
import { DECISION } from '../src/objects/decision.js';
import { paymentHash } from '../src/objects/intent.js';
import { seal } from '../src/objects/signed.js';
import { type Answer, storedAnswer } from './answer.js';
import { appraise, broken, nonceRefusal } from './appraise.js';
import type { Verifier } from './context.js';
import { answerOf, decideInput, decisionOf, type Draft, leafOf, type Ruled } from './draft.js';
import { type Asked, readInputs } from './inputs.js';
import type { DecideResult, DeviceRow, PaymentRow } from './store/verbs.js';

/** Payments that race for one carrier: each loses to at least one other, so a handful of tries is many. */
const TRIES = 5;

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
    if (stored.ok) return answerOf(draft);
    if (!stored.retry) return refused(v, row, asked, stored.code);
  }
  throw fault('carrier.busy');
}

/** The stored answer, unless this is the next attempt of a payment that the user has confirmed meanwhile, or evidence under another payment's name. */
async function repeatOf(v: Verifier, before: PaymentRow, asked: Asked): Promise<Answer | null> {
  if (before.paymentSha256 !== paymentHash(asked.intent)) throw fault('intake.idempotency_conflict');
  const last = (await v.store.attempts(before.paymentId)).at(-1);
  if (before.paymentId !== asked.paymentId || !last) return null;
  const confirmed = before.state === 'confirm_required' && asked.attempt === last.n + 1 && (await v.store.confirmation(before.paymentId))?.consumedAttempt === null;
  return confirmed ? null : storedAnswer(v, before, last);
}

function rule(v: Verifier, { asked, row, inputs, appraisal }: Omit<Ruled, 'ruling' | 'nowMs'>): Draft {
  const nowMs = v.now();
  const { agent } = asked.evidence;
  const ruling = adjudicate({
    intent: asked.intent, paymentSha256: inputs.paymentSha256, mandate: inputs.mandate, mandateFault: inputs.mandateFault, closed: inputs.closed, carrier: inputs.carrier, revisions: inputs.revisions,
    state: inputs.state, appraisal: appraisal.appraised, agent: appraisal.authentic ? { agentId: agent.agentId, manifestSha256: agent.manifestSha256 } : null,
    policy: inputs.policy.value, confirmation: inputs.confirmation?.opened ?? null, nowMs,
  });
  const ruled = { asked, row, inputs, appraisal, ruling, nowMs };
  return { ...ruled, decision: seal(DECISION, decisionOf(v, ruled), v.keys.verifier) };
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
  return answerOf(draft);
}
