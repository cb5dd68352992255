/**
 * Offline verification of a bundle with nothing but public keys. Every edge between its objects is checked; the first that does not hold is named.
 *
 * Whoever made the bundle may be hostile, the agent, the device and the verifier's operator among them. What this shows is that user, publisher, TPM,
 * verifier, issuer and log each signed exactly this, and that the law gives this decision for it. A denial verifies like a permit.
 */
import { type Json, parseJson } from '../src/base/json.js';
import type { Code } from '../src/codes.js';
import type { DecisionKind, Level, Tier } from '../src/names.js';
import { BUNDLE_BYTES, type Bundle, EDGES, type Edge, bundle } from '../src/objects/bundle.js';
import type { Intent } from '../src/objects/intent.js';
import type { Trust } from '../src/objects/trust.js';
import { Unopened, brokenBy } from './bundle/claim.js';
import { type Section, explain, explainBroken } from './bundle/explain.js';
import { type Facts, factsOf } from './bundle/facts.js';
import { HOME, MAY_LACK, TABLE } from './bundle/table.js';

/** `what`: why it does not hold, why it is not there, or null when it holds. */
export interface EdgeResult { readonly edge: Edge; readonly ok: boolean; readonly what: string | null }

/** What the bundle says, for people. Null when it does not verify: then it says nothing. */
export interface Verdict { readonly decision: DecisionKind; readonly code: Code | null; readonly level: Level; readonly tier: Tier | null; readonly simulated: boolean | null; readonly amount: Intent['amount']; readonly payee: Intent['payee']; readonly decidedMs: number; readonly settled: boolean }

export interface BundleReport { readonly ok: boolean; readonly edges: readonly EdgeResult[]; readonly firstBroken: Edge | null; readonly verdict: Verdict | null }

/**
 * Verifies the text of a `*.ari.json` file. Mandate and carrier are judged at the time of the decision's leaf, or at `nowMs`.
 * @throws Fault intake.* when the text is no JSON object at all, so that there is nothing to name
 */
export const verifyBundle = (text: string | Uint8Array, trust: Trust, options: { nowMs?: number } = {}): BundleReport => examine(text, trust, options).report;

/**
 * The same in plain words: who authorised what, what was proven and decided, who answers for it; of a bundle that does not verify, only what does not hold.
 * @throws Fault intake.* as {@link verifyBundle}
 */
export function explainBundle(text: string | Uint8Array, trust: Trust, options: { nowMs?: number } = {}): { readonly report: BundleReport; readonly sections: readonly Section[] } {
  const { report, facts } = examine(text, trust, options);
  if (report.ok && facts !== null) return { report, sections: explain(facts) };
  const { edge, what } = report.edges.find((one) => one.edge === report.firstBroken) ?? { edge: EDGES[0], what: null };
  return { report, sections: explainBroken({ edge, what: what ?? 'it does not', holding: report.edges.filter(({ ok }) => ok).length, of: report.edges.length }) };
}

/** `facts`: null when the bundle cannot be read. */
function examine(text: string | Uint8Array, trust: Trust, { nowMs }: { nowMs?: number }): { report: BundleReport; facts: Facts | null } {
  const wire = parseJson(text, { bytes: BUNDLE_BYTES });
  const read = readBundle(wire);
  if ('edge' in read) return { report: unreadable(read), facts: null };
  const facts = factsOf(read.bundle, trust, nowMs);
  const excused = excuses(facts);
  const judged = EDGES.map((edge) => judge(edge, facts, excused));
  const broken = judged.filter(({ ok }) => !ok);
  const firstBroken = (broken.find(({ checked }) => checked) ?? broken[0])?.edge ?? null;
  const edges = judged.map(({ edge, ok, what }) => ({ edge, ok, what }));
  return { report: { ok: firstBroken === null, edges, firstBroken, verdict: firstBroken === null ? verdictOf(facts) : null }, facts };
}

interface Unreadable { edge: Edge; what: string }

function readBundle(wire: Json): { bundle: Bundle } | Unreadable {
  const read = bundle.safeParse(wire);
  if (read.success) {
    const alone = read.data.userAssertion !== null && read.data.confirmation === null;
    return alone ? { edge: HOME.userAssertion, what: 'user_assertion: there is no confirmation that it belongs to' } : { bundle: read.data };
  }
  const [issue] = read.error.issues;
  const member = MEMBERS.get(String(issue?.path[0])) ?? 'v';
  return { edge: HOME[member], what: `${issue?.path.join('.') || 'bundle'}: ${issue?.message ?? 'refused'}` };
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const MEMBERS = new Map(Object.keys(HOME).map((name) => [snake(name), name as keyof Bundle]));

/** Nothing of a bundle that cannot be read holds. */
function unreadable({ edge: first, what }: Unreadable): BundleReport {
  const edges = EDGES.map((edge) => ({ edge, ok: false, what: edge === first ? what : 'not checked: the bundle cannot be read' }));
  return { ok: false, edges, firstBroken: first, verdict: null };
}

/** Reasons that a decision gives for not permitting. An edge that does not hold for such a reason is what the decision was about. */
function excuses({ decision }: Facts): ReadonlySet<Code> | null {
  try {
    const { value } = decision();
    if (value.decision === 'permit') return null;
    return new Set([value.code, ...value.checks.map(({ code }) => code), ...value.findings.map(({ code }) => code)].filter((code) => code !== null));
  } catch (error) {
    if (brokenBy(error) === null) throw error;
    return null;
  }
}

/** `checked`: false where the edge could not be looked at, because an object that another edge answers for cannot be opened. */
interface Judged extends EdgeResult { readonly checked: boolean }

/** @param excused null when the payment was permitted, or the decision cannot be read: then everything must hold */
function judge(edge: Edge, facts: Facts, excused: ReadonlySet<Code> | null): Judged {
  const { subject, check } = TABLE[edge];
  if ((facts.bundle[subject] ?? null) === null && (excused !== null || MAY_LACK.has(subject))) return { edge, ok: true, checked: true, what: `not applicable: there is no ${snake(subject)}` };
  try {
    check(facts);
    return { edge, ok: true, checked: true, what: null };
  } catch (error) {
    const why = brokenBy(error);
    if (why === null) throw error;
    if (why.code !== null && excused?.has(why.code) === true) return { edge, ok: true, checked: true, what: `does not hold, and was not permitted for that: ${why.what}` };
    const checked = !(error instanceof Unopened) || error.home === edge;
    return { edge, ok: false, checked, what: checked ? why.what : `not checked: ${why.what}` };
  }
}

function verdictOf({ bundle: { intent, receipt, ear: result }, decision, ear, receipt: opened }: Facts): Verdict {
  const { decision: kind, code, level, inputs } = decision().value;
  const platform = result === null ? null : ear().value.submods.platform.ariPlatform;
  return {
    decision: kind, code, level, tier: platform?.tier ?? null, simulated: platform?.simulated ?? null,
    amount: intent.amount, payee: intent.payee, decidedMs: inputs.nowMs,
    settled: receipt !== null && opened().value.status === 'Success',
  };
}
