/** Puts the bundle of a payment together: what the device put forward and what the verifier said of it, exactly as signed. */
import { toB64u } from '../../src/base/bytes.js';
import { stringify } from '../../src/base/shape.js';
import { type Bundle, bundle } from '../../src/objects/bundle.js';
import { EVIDENCE_PROFILE } from '../../src/objects/evidence.js';
import { readCopy } from '../tpm/listcopy.js';
import type { Payment } from './book.js';
import { readManifest } from './manifests.js';

/**
 * The bundle's text, or null while the verifier has not decided.
 * @param stateDir where the manifest is kept, and the IMA list before the evidence. Should one of them be lost, the bundle says so: it does not show the agent,
 * or the tier, that was decided on
 */
export function bundleOf(p: Payment, stateDir: string): string | null {
  const { proof, ruling, result } = p;
  if (!proof || !ruling) return null;
  const list = proof.list && readCopy(stateDir, proof.list);
  const value: Bundle = {
    v: 'ari-bundle-1',
    intent: p.intent,
    mandate: proof.mandate,
    closedMandate: proof.closedMandate,
    carrier: ruling.carrier,
    revisions: ruling.revisions,
    manifest: readManifest(stateDir, p.manifestSha256),
    device: ruling.device,
    evidence: { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: proof.akName, platform: proof.platform, payment: proof.evidence },
    log: proof.log,
    ...(list ? { ima: toB64u(list) } : {}),
    ear: ruling.ear,
    state: ruling.authority,
    policy: ruling.policy,
    decision: ruling.decision,
    confirmation: ruling.confirmation,
    userKeys: ruling.userKeys,
    userAssertion: ruling.userAssertion,
    ...(p.offline && { allowance: p.offline.allowance }),
    execution: result?.execution ?? null,
    receipt: result?.receipt ?? null,
    leaves: [ruling.leaf, ...(result?.leaf ? [result.leaf] : [])],
    proofs: [ruling.proof, ...(result?.proof ? [result.proof] : [])],
  };
  return stringify(bundle, value);
}
