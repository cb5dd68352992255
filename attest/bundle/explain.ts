/**
 * A bundle in plain words: what happened, who authorised it, what was proven, what was decided, who answers for it. Said only of a bundle whose every edge
 * holds; of another one, only what does not hold.
 */
import { CODES, type Code } from '../../src/codes.js';
import type { Finding } from '../../src/base/fault.js';
import { parseProof } from '../../src/deposit/proof.js';
import { peekCheckpoint } from '../../src/deposit/checkpoint.js';
import { carrierLimits, instant, mandateLimits, tierInWords } from '../../src/law/words.js';
import { format } from '../../src/money.js';
import type { DecisionKind } from '../../src/names.js';
import type { Edge } from '../../src/objects/bundle.js';
import type { Decision } from '../../src/objects/decision.js';
import type { Facts } from './facts.js';
import { EDGE_WORDS } from './words.js';

/** One question and its answer, sentence by sentence. */
export interface Section { readonly title: string; readonly lines: readonly string[] }

/** A bundle of which an edge does not hold. Who changed it cannot be seen in it. */
export function explainBroken({ edge, what, holding, of }: { edge: Edge; what: string; holding: number; of: number }): Section[] {
  return [
    { title: 'This file proves nothing', lines: [`It does not hold that ${EDGE_WORDS[edge]}: ${what} (${edge}).`, `${holding} of its ${of} edges hold, but one that does not is enough: believe nothing else that it says.`] },
    { title: 'Who answers for it', lines: ['Whoever handed it to you. Who made or changed it cannot be seen in it.', 'Ask the verifier or the payer for the bundle again; when it is the same, report it with the name of the edge.'] },
  ];
}

/** @param facts of a bundle whose every edge holds */
export const explain = (facts: Facts): Section[] => [
  { title: 'What happened', lines: happened(facts) },
  { title: 'Who authorised it', lines: [...authorised(facts), ...offline(facts)] },
  { title: 'What was proven', lines: proven(facts) },
  { title: 'What was decided', lines: decided(facts) },
  { title: 'Who answers for it', lines: answers(facts) },
];

const OUTCOME: Record<DecisionKind, string> = { permit: 'It was permitted', confirm: 'It was not permitted without the user, who was asked to confirm it', deny: 'It was refused' };

function happened({ bundle: { intent, receipt: token }, decision, receipt, manifest, bundle }: Facts): string[] {
  const { value } = decision();
  const agent = bundle.manifest === null ? 'an agent' : `the agent ${manifest().value.agent.id}, version ${manifest().value.agent.version},`;
  const origin = intent.payee.origin === null ? '' : ` at ${intent.payee.origin}`;
  const asked = `On ${instant(Math.floor(value.inputs.nowMs / 1000))} ${agent} asked to pay ${intent.bound === 'max' ? 'up to ' : ''}${format(intent.amount)} to ${intent.payee.id}${origin} for ${intent.order.ref}.`;
  if (value.decision !== 'permit') return [asked, `${OUTCOME[value.decision]}: ${reason(value)}.`];
  if (token === null) return [asked, 'It was permitted. Whether it was paid does not stand in this file.'];
  const { status, amount, settledAt, error } = receipt().value;
  return [asked, status === 'Success' ? `It was permitted, and ${format(amount)} were paid on ${instant(settledAt)}.` : `It was permitted, and the payment failed: ${error ?? 'no reason is given'}. Nothing was paid.`];
}

/** That nobody was asked at the time, and what stood for the answer. */
function offline({ bundle, allowance, closed, decision }: Facts): string[] {
  if (bundle.allowance === undefined) return [];
  const { jti, maxCount, maxTotal, perPaymentMax, currency, iat, exp, uploadUntil } = allowance().value;
  const money = (amount: bigint): string => format({ amount, currency });
  return [
    `The payment was made OFFLINE, on ${instant(closed().closed.iat)} by the clock of the device, and brought to the verifier later. The carrier issuer had allowed that ahead: allowance ${jti} of ${instant(iat)}.`,
    `- at most ${maxCount} payments of at most ${money(perPaymentMax)}, together at most ${money(maxTotal)}, which were reserved for them; made before ${instant(exp)}, brought before ${instant(uploadUntil)}`,
    `- it was payment number ${(bundle.state.allowance?.count ?? 0) + 1} of the allowance that was brought${decision().value.findings.some(({ code }) => code === 'ctr.gap') ? '; the counter shows that values before it belong to no payment that was brought' : ''}`,
    '- what was revoked while the terminal was away could not stop it',
  ];
}

function authorised({ bundle, mandate, carrier, confirmation }: Facts): string[] {
  if (bundle.mandate === null) return ['Nobody: there is no mandate of a user.'];
  const opened = mandate();
  const { sub, jti, task, iat } = opened.mandate.value;
  return [
    `User ${sub} signed mandate ${jti} on ${instant(iat)}, in these words: “${task.summary}”. What is checked:`,
    ...mandateLimits(opened).map((limit) => `- ${limit}`),
    ...(bundle.carrier === null ? [] : [`The money comes from carrier ${carrier().value.jti} of the same user, whose rules no agent can loosen:`, ...carrierLimits(carrier().value).map((limit) => `- ${limit}`)]),
    ...(bundle.confirmation === null ? [] : [`On ${instant(confirmation().value.iat)} user ${confirmation().value.sub} confirmed exactly this payment.`]),
  ];
}

function proven({ bundle, ear, device }: Facts): string[] {
  if (bundle.ear === null) return ['Nothing: the evidence of the device was not believed, or there was none.'];
  const { submods: { platform: { ariPlatform: platform }, agent: { ariAgent: agent } }, earStatus } = ear().value;
  const findings = [...platform.findings, ...agent.findings];
  return [
    `The TPM of device ${device().value.deviceId} signed over exactly this request, this mandate and the running agent.${platform.simulated ? ' This TPM is a simulated one: it proves nothing about a real machine.' : ` Its maker: ${platform.ekRoot ?? 'nobody vouches for it'}.`}`,
    `${platform.simulated ? 'Were it a real one, the platform would have' : 'The platform has'} tier ${tierInWords(platform.tier)}.`,
    `The agent was measured while it ran and compared with what its publisher signed. The finding as a whole: ${earStatus}.`,
    ...findings.map(({ code, message }) => `- ${message} (${code})`),
  ];
}

function decided({ decision, bundle, leaves }: Facts): string[] {
  const { value } = decision();
  const failing = value.checks.filter(({ result }) => result !== 'permit');
  const [leaf] = leaves();
  const { index, checkpoint } = parseProof(bundle.proofs[0]!);
  const { origin, size } = peekCheckpoint(checkpoint);
  return [
    `Verifier ${value.iss} decided under policy ${value.policy.id}, version ${value.policy.version}: ${value.decision}, at level ${value.level}.`,
    failing.length === 0 ? `All ${value.checks.length} checks passed.` : `${value.checks.length - failing.length} of ${value.checks.length} checks passed. These did not:`,
    ...failing.map(({ check, result, code }) => `- ${check} (${result === 'deny' ? 'refuses' : 'asks the user'})${code === null ? '' : `: ${messageOf(code, value.findings)}`}`),
    'The same law gives the same decision again from what is in this file.',
    `Log ${origin} holds it as leaf ${index} of ${size}, number ${leaf.seq} in the chain of ${leaf.chain}: it can neither be taken back nor be dated back.`,
  ];
}

/** Who vouches for what; for a refusal, at whom the reason points. */
function answers({ bundle, mandate, manifest, decision, execution, receipt }: Facts): string[] {
  const { value } = decision();
  const roles = [
    ...(bundle.mandate === null ? [] : [`User ${mandate().mandate.value.sub}: for what the mandate allows.`]),
    ...(bundle.manifest === null ? [] : [`Publisher ${manifest().value.agent.publisher}: for what the agent's program does.`]),
    `Verifier ${value.iss}: for having checked device and agent, and for the decision.`,
    ...(bundle.execution === null ? [] : [`Carrier issuer ${execution().value.iss}: for having released the money only for this.`]),
    ...(bundle.receipt === null ? [] : [`Settlement ${receipt().value.iss}: for having paid exactly this.`]),
  ];
  if (value.decision === 'permit' || value.code === null) return roles;
  const { blame, fix } = CODES[value.code];
  return [`The reason (${value.code}) points to: ${blame}. What mends it: ${fix}.`, ...roles];
}

const reason = ({ code, findings }: Decision): string => (code === null ? 'no reason is given' : messageOf(code, findings));

/** The words of a finding where there is one; the sentence of its code has holes. */
const messageOf = (code: Code, findings: readonly Finding[]): string => findings.find((one) => one.code === code)?.message ?? code;
