/** The law, run again over the bundle's own objects. Same inputs, same decision: that is what makes a decision auditable. */
import type { Finding } from '../../src/base/fault.js';
import { hashOf } from '../../src/base/shape.js';
import { type Appraised, type Ruling, adjudicate } from '../../src/law/index.js';
import { authorityState } from '../../src/objects/carrier.js';
import type { Decision } from '../../src/objects/decision.js';
import { tokenHash } from '../../src/objects/signed.js';
import type { PaymentResult } from '../types.js';
import { inOrder } from '../verify/status.js';
import { allowanceHash } from './allowance.js';
import { brokenBy } from './claim.js';
import type { Facts } from './facts.js';

const hashOrNull = (token: string | null): string | null => (token === null ? null : tokenHash(token));

/** The hashes of what a decision is made on, as the bundle holds it. The attestation result has an edge of its own. */
export const inputHashes = ({ bundle, paymentSha256, mandateSha256, closedSha256, userKids }: Facts): Omit<Decision['inputs'], 'nowMs' | 'earSha256'> => ({
  paymentSha256, mandateSha256, closedSha256,
  carrierSha256: hashOrNull(bundle.carrier),
  revisionsSha256: bundle.revisions.map(tokenHash),
  userKids: [...userKids()],
  confirmationSha256: hashOrNull(bundle.confirmation),
  ...allowanceHash(bundle.allowance),
  stateSha256: hashOf(authorityState, bundle.state),
});

/** Findings that refuse evidence as a whole; some of them rest on the verifier's memory of device and nonces, which no bundle holds. */
const REFUSALS = /^(?:(?:nonce|device|quote|register|clock|ctr|log|binding)\.|offline\.other$)/;

/**
 * The appraisal as it stood before the law: as the result says, which an edge of its own compares with the evidence. There is no result for evidence
 * that was refused. Where the bundle alone does not show why, the verifier is taken at its word: this can deny a payment and never permit one.
 */
function appraised({ appraisal, decision, ear, bundle }: Facts): Appraised {
  if (bundle.ear !== null) {
    const { earStatus, submods: { platform: { ariPlatform }, agent: { ariAgent } } } = ear().value;
    const findings = inOrder([...ariPlatform.findings, ...ariAgent.findings]);
    return { authentic: true, status: earStatus, tier: ariPlatform.tier, simulated: ariPlatform.simulated, code: findings[0]?.code ?? null, findings };
  }
  const again = appraisal();
  if (!again.authentic) return again;
  const refusals = decision().value.findings.filter(({ code }) => REFUSALS.test(code));
  return { authentic: false, status: 'contraindicated', tier: 'T0', simulated: again.simulated, code: refusals[0]?.code ?? null, findings: refusals };
}

/** The counter and clock of authentic evidence: what was refused as a whole says neither, also where the verifier's memory alone refused it. */
const madeIn = ({ next }: PaymentResult): { ctr: bigint; clock: bigint } | null => (next === null || next.clock.ctr === null ? null : { ctr: next.clock.ctr, clock: next.clock.clock });

type Opened<T> = { value: T; refused: null } | { value: null; refused: Finding | null };

/** An object of the user or agent as the law sees it: one that was refused is itself a reason. */
function opened<T>(token: string | null, open: () => T): Opened<T> {
  if (token === null) return { value: null, refused: null };
  try {
    return { value: open(), refused: null };
  } catch (error) {
    const why = brokenBy(error);
    if (why === null || why.code === null) throw error;
    return { value: null, refused: { code: why.code, message: why.what } };
  }
}

export function replay(facts: Facts): Ruling {
  const { bundle } = facts;
  const mandate = opened(bundle.mandate, facts.mandate);
  const closed = mandate.value === null ? null : opened(bundle.closedMandate, facts.closed);
  const appraisal = appraised(facts);
  return adjudicate({
    intent: bundle.intent, paymentSha256: facts.paymentSha256, state: bundle.state, policy: facts.policy().value, appraisal,
    mandate: mandate.value, mandateFault: mandate.refused ?? closed?.refused ?? null, closed: closed?.value?.closed ?? null,
    carrier: bundle.carrier === null ? null : facts.carrier(),
    revisions: facts.revisions(),
    agent: appraisal.authentic ? facts.evidence().payment.agent : null,
    confirmation: bundle.confirmation === null ? null : facts.confirmation(),
    offline: bundle.allowance === undefined ? undefined : { allowance: facts.allowance().value, made: appraisal.authentic ? madeIn(facts.appraisal()) : null },
    nowMs: facts.decision().value.inputs.nowMs,
  });
}
