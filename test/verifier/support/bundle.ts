/** The bundle of a payment, put together as the sidecar does it: what was sent, what was answered. */
import { stringify } from '../../../src/base/shape.js';
import type { LinkBody } from '../../../src/link.js';
import { bundle } from '../../../src/objects/bundle.js';
import type { TestPayer } from './payer.js';

type Sent = Pick<LinkBody<'payment'>, 'intent' | 'mandate' | 'closedMandate' | 'evidence'> & Partial<Pick<LinkBody<'offline'>, 'platform' | 'allowance'>>;

export function bundleText(payer: TestPayer, device: string, sent: Sent, told: LinkBody<'decision'>, result?: LinkBody<'execution'>): string {
  const { decision, ear, carrier, revisions, policy, authority, confirmation, userKeys, userAssertion, leaf, proof } = told;
  return stringify(bundle, {
    v: 'ari-bundle-1', intent: sent.intent, mandate: sent.mandate, closedMandate: sent.closedMandate, carrier, revisions, userKeys, manifest: payer.manifest.token, device,
    evidence: payer.device.evidence(sent.platform ?? payer.platform, sent.evidence), log: payer.device.log.slice(0, sent.evidence.log.from), ear, state: authority, policy, decision, confirmation, userAssertion,
    execution: result?.execution ?? null, receipt: result?.receipt ?? null,
    ...(sent.allowance !== undefined && { allowance: sent.allowance }),
    leaves: [leaf, ...(result?.leaf ? [result.leaf] : [])], proofs: [proof, ...(result?.proof ? [result.proof] : [])],
  });
}
