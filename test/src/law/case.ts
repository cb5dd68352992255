/** A payment that is permitted at L3, and how to change one thing of it. */
import { verifyKey } from '../../../src/base/jws.js';
import { type AdjudicationInput, type Ruling, adjudicate } from '../../../src/law/index.js';
import { type AuthorityState, type Carrier, type CarrierRules, rulesHash } from '../../../src/objects/carrier.js';
import type { Confirmation, Policy } from '../../../src/objects/decision.js';
import { type Intent, paymentHash } from '../../../src/objects/intent.js';
import type { ClosedPayment, Mandate, OpenPayment } from '../../../src/objects/mandate.js';
import { verified } from '../../../src/objects/signed.js';
import { NOW, carrier, closedFor, confirmation, intent, mandate, mandateToken, openPayment, policy, rules, state } from '../../support/examples.js';
import { SIGNERS } from '../../support/keys.js';

export interface Changes {
  intent?: Partial<Intent>; mandate?: Partial<Mandate>; open?: Partial<OpenPayment>; carrier?: Partial<Carrier>; rules?: Partial<CarrierRules>; closed?: Partial<ClosedPayment>;
  state?: Partial<AuthorityState>; appraisal?: Partial<AdjudicationInput['appraisal']>; policy?: Partial<Policy>; confirmation?: Partial<Confirmation> | null; nowMs?: number;
  /** Whole parts of the input, after everything else. */
  with?: Partial<AdjudicationInput>;
}

const userKey = verifyKey(SIGNERS.user.jwk);
const issuerKey = verifyKey(SIGNERS.carrier.jwk);

/** The input of a payment that is permitted, changed. Hashes and the closed mandate follow the change, so that only what is meant is wrong. */
export function input(changes: Changes = {}): AdjudicationInput {
  const asked: Intent = { ...intent, ...changes.intent };
  const ruled: CarrierRules = { ...rules, ...changes.rules };
  const credential = { ...credentialOf(), carrier: { id: carrier.jti, rulesSha256: rulesHash(ruled) }, ...changes.mandate };
  const given = changes.confirmation === undefined || changes.confirmation === null ? null
    : { ...confirmation, paymentSha256: paymentHash(asked), termsSha256: asked.order.termsSha256, amount: asked.amount, payee: asked.payee, ...changes.confirmation };
  return {
    intent: asked,
    paymentSha256: paymentHash(asked),
    mandate: { mandate: verified(credential, mandateToken, userKey), open: { ...openPayment, ...changes.open } },
    mandateFault: null,
    closed: { ...closedFor(asked), ...changes.closed },
    carrier: verified({ ...carrier, rules: ruled, ...changes.carrier }, 'carrier', issuerKey),
    revisions: [],
    state: { ...state, ...changes.state },
    appraisal: { authentic: true, status: 'affirming', tier: 'T2', simulated: false, code: null, findings: [], ...changes.appraisal },
    agent: { agentId: mandate.agent.id, manifestSha256: mandate.agent.manifestSha256 },
    policy: { ...policy, ...changes.policy },
    confirmation: given && verified(given, 'confirmation', userKey),
    nowMs: changes.nowMs ?? NOW * 1000,
    ...changes.with,
  };
}

const credentialOf = (): Mandate => ({ ...mandate, vct: 'tag:ari.example,2026:mandate:1', delegatePayload: [], _sdAlg: 'sha-256' });

export const rule = (changes: Changes = {}): Ruling => adjudicate(input(changes));
/** "permit", "deny carrier.payee": what is decided and why. */
export const outcome = (changes: Changes = {}): string => {
  const { decision, code } = rule(changes);
  return code === null ? decision : `${decision} ${code}`;
};
