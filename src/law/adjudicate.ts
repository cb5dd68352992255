/**
 * The law. A decision is a function of its arguments alone: an auditor who has them replays it. The device asks the same rules before it signs.
 *
 * Every rule is asked. The worst answer wins, and the first in table order among the worst names the decision. The user's confirmation of exactly this
 * payment answers what waits for her; it never answers a deny. Nothing here raises a level: doubt lowers it to "the user confirms", or to no.
 */
import type { Sha256 } from '../base/bytes.js';
import { type Finding, finding } from '../base/fault.js';
import type { Code } from '../codes.js';
import type { DecisionKind, Level } from '../names.js';
import type { AuthorityState, Carrier } from '../objects/carrier.js';
import type { Check, Confirmation, Policy } from '../objects/decision.js';
import type { Intent } from '../objects/intent.js';
import type { ClosedPayment, Mandate, OpenPayment } from '../objects/mandate.js';
import type { Verified } from '../objects/signed.js';
import { AP2_RULES } from './ap2.js';
import { CARRIER_RULES } from './carrier.js';
import { CONSENT_RULES, consented } from './consent.js';
import { EVIDENCE_RULES, TIER_RULES } from './evidence.js';
import { type Appraised, type Facts, type MeasuredAgent, type Rule, type Verdict, deny, rule, seconds } from './facts.js';
import { LEVEL_ROWS, effectiveLevel } from './levels.js';
import { MANDATE_RULES } from './mandate.js';
import { OFFLINE_RULES, type OfflineFacts } from './offline.js';

const INTENT_RULES = [rule('intent.life', [], (facts) => (seconds(facts) < facts.intent.expiresAt ? null : deny(finding('decision.intent_expired'))))];

/** All rules, in the order in which they name a decision. */
export const RULES: readonly Rule[] = [...INTENT_RULES, ...EVIDENCE_RULES, ...MANDATE_RULES, ...AP2_RULES, ...TIER_RULES, ...CARRIER_RULES, ...OFFLINE_RULES, ...CONSENT_RULES];

export interface AdjudicationInput {
  intent: Intent;
  /** `paymentHash(intent)`, computed by the caller, who needs it too. */
  paymentSha256: Sha256;
  mandate: { mandate: Verified<Mandate>; open: OpenPayment } | null;
  /** The fault with which mandate or closed mandate was refused; a thrown Fault fits. */
  mandateFault: Finding | null;
  closed: ClosedPayment | null;
  carrier: Verified<Carrier> | null;
  /** Its earlier revisions since the one that the mandate names, oldest first. */
  revisions: readonly Verified<Carrier>[];
  state: AuthorityState;
  appraisal: Appraised;
  /** From authentic evidence; null when there is none. */
  agent: MeasuredAgent | null;
  policy: Policy;
  confirmation: Verified<Confirmation> | null;
  /** Of a payment made offline: it is judged by the time at which it was closed, under the carrier as it was when the allowance was issued. */
  offline?: Omit<OfflineFacts, 'state' | 'receivedMs'> | undefined;
  nowMs: number;
}

/** The content of a decision. `findings[0]` says in words what `code` says; `code` is null exactly when the payment is permitted. */
export interface Ruling { decision: DecisionKind; level: Level; code: Code | null; checks: Check[]; findings: Finding[]; obligations: string[] }

export function adjudicate(input: AdjudicationInput): Ruling {
  const facts = factsOf(input);
  const answers = judge(facts);
  const worst = answers.find(({ check }) => check.result === 'deny') ?? answers.find(({ check }) => check.result === 'confirm');
  const decision = worst?.check.result ?? 'permit';
  const level = facts.level ?? 'L0';
  const said = answers.flatMap((answer) => (answer.finding ? [answer.finding] : []));
  return {
    decision,
    level,
    code: worst?.check.code ?? null,
    checks: answers.map(({ check }) => check),
    findings: unique([...(worst?.finding ? [worst.finding] : []), ...said, ...input.appraisal.findings]).slice(0, 256),
    obligations: obligations(decision, level, input.appraisal),
  };
}

/** What speaks against a payment before anything was measured. The verifier decides; the device attaches these. */
export function precheck({ intent, mandate, carrier, nowMs }: { intent: Intent; mandate: { mandate: Verified<Mandate>; open: OpenPayment }; carrier: Verified<Carrier>; nowMs: number }): Finding[] {
  const level = effectiveLevel(mandate.mandate.value.level, carrier.value.rules.levels) ?? undefined;
  const facts: Facts = { intent, nowMs, mandate: mandate.mandate.value, open: mandate.open, carrier: carrier.value, level };
  return judge(facts).flatMap((answer) => (answer.finding ? [answer.finding] : []));
}

/** What speaks against a payment that is made offline. The device refuses on any of it: nobody else can before the payee trusts the payment. */
export function precheckOffline({ intent, mandate, carrier, offline, nowMs }: { intent: Intent; mandate: { mandate: Verified<Mandate>; open: OpenPayment }; carrier: Verified<Carrier>; offline: OfflineFacts; nowMs: number }): Finding[] {
  const level = effectiveLevel(mandate.mandate.value.level, carrier.value.rules.levels) ?? undefined;
  const facts: Facts = { intent, nowMs, mandate: mandate.mandate.value, open: mandate.open, carrier: carrier.value, level, offline };
  return judge(facts).flatMap(({ check, finding }) => (finding && check.result !== 'permit' ? [finding] : []));
}

function factsOf({ mandate, carrier, confirmation, ...input }: AdjudicationInput): Facts {
  const { state, policy } = input;
  const level = mandate && carrier ? effectiveLevel(mandate.mandate.value.level, carrier.value.rules.levels, policy.levels) : null;
  const offline = input.offline && state.allowance && { ...input.offline, state: state.allowance, receivedMs: input.nowMs };
  return {
    intent: input.intent,
    nowMs: offline && input.closed ? input.closed.iat * 1000 : input.nowMs,
    offline,
    mandate: mandate?.mandate.value,
    open: mandate?.open,
    carrier: carrier?.value,
    revisions: input.revisions.map(({ value }) => value),
    paymentSha256: input.paymentSha256,
    closed: input.closed ?? undefined,
    mandateFault: input.mandateFault ?? undefined,
    state: offline ? undefined : state,
    funds: offline ? undefined : (state.carrier ?? undefined),
    uses: offline ? undefined : (state.mandate ?? undefined),
    appraisal: input.appraisal,
    agent: input.agent ?? undefined,
    policy,
    confirmation: confirmation?.value,
    level: level ?? undefined,
  };
}

interface Answer { check: Check; finding: Finding | null }

/** Asks every rule whose needs are known. */
function judge(facts: Facts): Answer[] {
  const agreed = consented(facts);
  return RULES.filter(({ needs }) => needs.every((need) => facts[need] !== undefined)).map(({ name, check }) => {
    const verdict = check(facts);
    return { check: { check: name, result: resultOf(verdict, facts, agreed), code: verdict?.finding.code ?? null }, finding: verdict?.finding ?? null };
  });
}

function resultOf(verdict: Verdict, { mandate, offline }: Facts, agreed: boolean): DecisionKind {
  if (verdict === null) return 'permit';
  const { result } = verdict;
  const settled = result === 'doubt' ? (mandate ? LEVEL_ROWS[mandate.level].ifDoubt : 'deny') : result;
  if (offline && settled === 'confirm') return 'deny';
  return settled === 'confirm' && agreed ? 'permit' : settled;
}

const unique = (findings: Finding[]): Finding[] => [...new Map(findings.map(({ code, message }) => [`${code} ${message}`, { code, message }])).values()];

/** An agent that is not what it should be is told to the user, though nothing was paid. */
function obligations(decision: DecisionKind, level: Level, appraisal: Appraised): string[] {
  if (decision === 'permit') return [...LEVEL_ROWS[level].obligations];
  return appraisal.status === 'contraindicated' ? ['notify_user'] : [];
}
