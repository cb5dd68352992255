/** Each edge and its check, in the order of {@link EDGES}; and the member of the bundle without which there is no such edge. */
import type { Bundle, Edge } from '../../src/objects/bundle.js';
import { allowanceIntent, allowanceMandate, bindingAllowance } from './allowance.js';
import { closedIntent, closedMandate, intentOrder, mandateAgent, mandateCarrier, manifestAgent } from './authority.js';
import { confirmationIntent, decisionEar, decisionInputs, decisionPolicy, earBinding, earEvidence } from './decision.js';
import { checkpointKey, leafChain, leafDecision, proofLeaf } from './deposit.js';
import { attestAk, attestBinding, bindingAgent, bindingClosed, bindingIntent, bindingMandate, bindingPlatform, deviceAk, registerLog } from './device.js';
import type { Facts } from './facts.js';
import { executionDecision, executionProof, receiptClosed, receiptExecution, settledLeaf } from './settlement.js';

/** Throws Broken or a Fault when the edge does not hold. */
export type Check = (facts: Facts) => void;
interface Row { readonly subject: keyof Bundle; readonly check: Check }
const row = (subject: keyof Bundle, check: Check): Row => ({ subject, check });

export const TABLE: Readonly<Record<Edge, Row>> = {
  'mandate-agent': row('mandate', mandateAgent),
  'manifest-agent': row('manifest', manifestAgent),
  'mandate-carrier': row('mandate', mandateCarrier),
  'intent-order': row('closedMandate', intentOrder),
  'closed-mandate': row('closedMandate', closedMandate),
  'closed-intent': row('closedMandate', closedIntent),
  'binding-intent': row('evidence', bindingIntent),
  'binding-mandate': row('evidence', bindingMandate),
  'binding-closed': row('evidence', bindingClosed),
  'binding-agent': row('evidence', bindingAgent),
  'binding-platform': row('evidence', bindingPlatform),
  'attest-binding': row('evidence', attestBinding),
  'attest-ak': row('evidence', attestAk),
  'device-ak': row('evidence', deviceAk),
  'register-log': row('evidence', registerLog),
  'allowance-mandate': row('allowance', allowanceMandate),
  'allowance-intent': row('allowance', allowanceIntent),
  'binding-allowance': row('allowance', bindingAllowance),
  'ear-evidence': row('ear', earEvidence),
  'ear-binding': row('ear', earBinding),
  'decision-ear': row('decision', decisionEar),
  'decision-inputs': row('decision', decisionInputs),
  'decision-policy': row('decision', decisionPolicy),
  'confirmation-intent': row('confirmation', confirmationIntent),
  'leaf-decision': row('leaves', leafDecision),
  'leaf-chain': row('leaves', leafChain),
  'proof-leaf': row('proofs', proofLeaf),
  'checkpoint-key': row('proofs', checkpointKey),
  'execution-decision': row('execution', executionDecision),
  'execution-proof': row('execution', executionProof),
  'receipt-execution': row('receipt', receiptExecution),
  'receipt-closed': row('receipt', receiptClosed),
  'settled-leaf': row('receipt', settledLeaf),
};

/** What a permitted payment may lack: consent that nobody needed, an offline allowance, and a settlement that has not happened. */
export const MAY_LACK: ReadonlySet<keyof Bundle> = new Set(['allowance', 'confirmation', 'execution', 'receipt']);

/** The edge that is named when a member of the bundle has not even the form that it must have. */
export const HOME: Readonly<Record<keyof Bundle, Edge>> = {
  v: 'mandate-agent', mandate: 'mandate-agent', userKeys: 'mandate-agent', manifest: 'manifest-agent', carrier: 'mandate-carrier', revisions: 'mandate-carrier', intent: 'intent-order', closedMandate: 'closed-mandate',
  evidence: 'binding-intent', device: 'device-ak', log: 'register-log', ima: 'ear-evidence', allowance: 'allowance-mandate', ear: 'ear-evidence', state: 'decision-inputs', decision: 'decision-ear', policy: 'decision-policy',
  confirmation: 'confirmation-intent', userAssertion: 'confirmation-intent', leaves: 'leaf-decision', proofs: 'proof-leaf', execution: 'execution-decision', receipt: 'receipt-execution',
};
