/** Edges from the evidence to the decision: what the verifier found, and that the law gives this decision for it. */
import { type Json, canonical } from '../../src/base/json.js';
import { evidenceHash } from '../../src/objects/evidence.js';
import { EAR_STATUSES, TIERS, atLeast } from '../../src/names.js';
import { claim, claimSame } from './claim.js';
import type { Facts } from './facts.js';
import { inputHashes, replay } from './replay.js';

/** The result is of this evidence and this device, and no better than what the evidence shows. The verifier's memory may make it worse. */
export function earEvidence({ ear, evidence, device, appraisal }: Facts): void {
  const { ariEvidence, earStatus, sub, submods: { platform: { ariPlatform } } } = ear().value;
  const again = appraisal();
  claimSame({ 'the hash of the evidence': [ariEvidence.sha256, evidenceHash(evidence())], 'the attestation key': [ariPlatform.akName, evidence().akName], 'the device': [sub, device().value.deviceId] });
  claim(atLeast(EAR_STATUSES, earStatus, again.status), `the result says ${earStatus}, the evidence shows ${again.status}`);
  claim(atLeast(TIERS, again.tier, ariPlatform.tier), `the result says ${ariPlatform.tier}, the evidence shows ${again.tier}`);
  claim(ariPlatform.simulated || !again.simulated, 'the result hides that the TPM is simulated');
}

/** The result names what was bound, for the agent's key, by the verifier that the binding was made for. */
export function earBinding({ ear, evidence }: Facts): void {
  const { ariBinding, cnf, iss, submods: { agent: { ariAgent } } } = ear().value;
  const { binding, agent } = evidence().payment;
  const bound = Object.keys(ariBinding) as (keyof typeof ariBinding)[];
  claimSame(Object.fromEntries(bound.map((name) => [`the ${name} of the binding`, [ariBinding[name], binding[name]]])));
  claimSame({ 'the key of the agent': [cnf.jkt, binding.jkt], 'the audience': [iss, binding.aud], 'the agent': [ariAgent.agentSha256, binding.agentSha256], 'the manifest': [ariAgent.manifestSha256, agent.manifestSha256] });
}

/** The decision rests on this result, while it was valid. */
export function decisionEar({ decision, bundle, ear }: Facts): void {
  const { inputs } = decision().value;
  claim((inputs.earSha256 === null) === (bundle.ear === null), 'the decision names a result and the bundle holds none, or the other way round');
  if (bundle.ear === null) return;
  const { sha256, value } = ear();
  claimSame({ 'the hash of the result': [inputs.earSha256, sha256] });
  claim(value.iat * 1000 <= inputs.nowMs + 5000 && inputs.nowMs < value.exp * 1000, 'the result was not valid when the decision was made');
}

/** Everything the decision names is in the bundle, and the law gives this decision for it. */
export function decisionInputs(facts: Facts): void {
  const { value } = facts.decision();
  const { nowMs: _, earSha256: __, ...inputs } = value.inputs;
  const held = inputHashes(facts);
  const named: Record<string, Json | undefined> = { ...inputs };
  const inBundle: Record<string, Json | undefined> = { ...held };
  const names = new Set([...Object.keys(named), ...Object.keys(inBundle)]);
  claimSame(Object.fromEntries([...names].map((name) => [name, [canonical(named[name] ?? null), canonical(inBundle[name] ?? null)]])));
  const again = replay(facts);
  claimSame({
    'the decision made again': [again.decision, value.decision],
    'its level': [again.level, value.level],
    'its code': [again.code, value.code],
    'its checks': [canonical(again.checks), canonical(value.checks)],
    'its obligations': [canonical(again.obligations), canonical(value.obligations)],
  });
}

/** The decision was made under this policy of the operator. */
export function decisionPolicy({ decision, policy }: Facts): void {
  const { value, sha256 } = policy();
  const named = decision().value.policy;
  claimSame({ 'the hash of the policy': [named.sha256, sha256], 'its id': [named.id, value.id], 'its version': [named.version, value.version] });
}

/** The user confirmed exactly this payment. */
export function confirmationIntent({ confirmation, mandate, decision, bundle: { intent }, paymentSha256 }: Facts): void {
  const { value } = confirmation();
  claimSame({
    'the hash of the request': [value.paymentSha256, paymentSha256],
    'the hash of the terms': [value.termsSha256, intent.order.termsSha256],
    'the amount': [value.amount.amount, intent.amount.amount],
    'the currency': [value.amount.currency, intent.amount.currency],
    'the payee': [canonical(value.payee), canonical(intent.payee)],
    'the payment': [value.paymentId, decision().value.paymentId],
    'the user': [value.sub, mandate().mandate.value.sub],
  }, 'confirm.mismatch');
  claim(decision().value.inputs.nowMs < value.exp * 1000, 'the confirmation was expired when the decision was made', 'confirm.expired');
}
