/** Accepted platforms: the appraisal as the store keeps it beside its evidence (canonical JSON), and both as payments rest on them. */
import { z } from 'zod';
import { sha256 } from '../../src/base/bytes.js';
import { canonicalOf, count, hex, parse, record, sha256Text, stringify, u64 } from '../../src/base/shape.js';
import { EAR_STATUSES, TIERS } from '../../src/names.js';
import { MEASURED_BY, findingShape, trustVector } from '../../src/objects/ear.js';
import { type PlatformEvidence, platformEvidence } from '../../src/objects/evidence.js';
import type { KeptPlatform, PlatformAppraisal } from '../types.js';

const platformAppraisal = record({
  status: z.enum(EAR_STATUSES),
  vector: trustVector,
  findings: z.array(findingShape),
  platformSha256: sha256Text,
  akName: hex(34),
  authentic: z.boolean(),
  tier: z.enum(TIERS),
  simulated: z.boolean(),
  firmware: u64,
  resetCount: count,
  restartCount: count,
  clock: u64,
  ctr: u64.nullable(),
  bank: z.string(),
  secureBoot: z.boolean().nullable(),
  measuredBy: z.enum(MEASURED_BY),
});

export const encodePlatformAppraisal = (value: PlatformAppraisal): string => stringify(platformAppraisal, value);
/** @throws Fault intake.malformed, or a strict JSON fault */
export const decodePlatformAppraisal = (text: string): PlatformAppraisal => parse(platformAppraisal, text, 'platform appraisal');

/** Written and hashed here, once for all the payments that rest on it. */
export function keptOf(evidence: PlatformEvidence, appraisal: PlatformAppraisal): KeptPlatform {
  const text = canonicalOf(platformEvidence, evidence);
  return { evidence, text, sha256: sha256(text), appraisal } as KeptPlatform;
}

/** From what the store holds. @throws Fault intake.malformed, or a strict JSON fault */
export const readKept = (texts: { evidence: string; appraisal: string }): KeptPlatform => keptOf(parse(platformEvidence, texts.evidence, 'platform'), decodePlatformAppraisal(texts.appraisal));
