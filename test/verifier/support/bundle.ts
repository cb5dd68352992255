/** The bundle of a payment, put together as the sidecar does it: what was sent, what was answered. */
import { stringify } from '../../../src/base/shape.js';
import type { LinkBody } from '../../../src/link.js';
import { bundle } from '../../../src/objects/bundle.js';
import type { TestPayer } from './payer.js';

export function bundleText(payer: TestPayer, device: string, sent: LinkBody<'payment'>, told: LinkBody<'decision'>, result?: LinkBody<'execution'>): string {
  const { decision, ear, carrier, revisions, policy, authority, confirmation, userKeys, userAssertion, leaf, proof } = told;
  return stringify(bundle, {
    v: 'ari-bundle-1', intent: sent.intent, mandate: sent.mandate, closedMandate: sent.closedMandate, carrier, revisions, userKeys, manifest: payer.manifest.token, device,
    evidence: payer.device.evidence(payer.platform, sent.evidence), log: payer.device.log.slice(0, sent.evidence.log.from), ear, state: authority, policy, decision, confirmation, userAssertion,
    execution: result?.execution ?? null, receipt: result?.receipt ?? null,
    leaves: [leaf, ...(result?.leaf ? [result.leaf] : [])], proofs: [proof, ...(result?.proof ? [result.proof] : [])],
  });
}
