/**
 * The hashes of one payment's evidence, computed over what was received. Each part that is hashed by itself is written once, and the text of the whole
 * is put together from those texts; a kept platform part brings its own.
 */
import { sha256, type Sha256 } from '../../src/base/bytes.js';
import { canonicalOf } from '../../src/base/shape.js';
import { agentClaims } from '../../src/objects/claims.js';
import { type Evidence, binding, evidenceHash, leafOfText, platformEvidence } from '../../src/objects/evidence.js';
import type { KeptPlatform } from '../types.js';

/** `leaf`: what the binding is in the tree whose root was signed. */
export interface EvidenceHashes { readonly agentSha256: Sha256; readonly platformSha256: Sha256; readonly evidenceSha256: Sha256; readonly leaf: Buffer }

/** @param kept believed for its own platform part only, which is the very object: any other one is written and hashed here */
export function hashesOf(evidence: Evidence, kept: KeptPlatform | null): EvidenceHashes {
  const { platform, payment } = evidence;
  const isKept = kept !== null && kept.evidence === platform;
  const platformText = isKept ? kept.text : canonicalOf(platformEvidence, platform);
  const agentText = canonicalOf(agentClaims, payment.agent);
  const bindingText = canonicalOf(binding, payment.binding);
  const texts = new Map<object, string>([[platform, platformText], [payment.agent, agentText], [payment.binding, bindingText]]);
  return {
    agentSha256: sha256(agentText), platformSha256: isKept ? kept.sha256 : sha256(platformText),
    evidenceSha256: evidenceHash(evidence, texts), leaf: leafOfText(bindingText),
  };
}
