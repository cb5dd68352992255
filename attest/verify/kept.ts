/** A platform appraisal as the store keeps it beside its evidence: canonical JSON. */
import { z } from 'zod';
import { count, hex, parse, record, sha256Text, stringify, u64 } from '../../src/base/shape.js';
import { EAR_STATUSES, TIERS } from '../../src/names.js';
import { findingShape, trustVector } from '../../src/objects/ear.js';
import type { PlatformAppraisal } from '../types.js';

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
});

export const encodePlatformAppraisal = (value: PlatformAppraisal): string => stringify(platformAppraisal, value);
/** @throws Fault intake.malformed, or a strict JSON fault */
export const decodePlatformAppraisal = (text: string): PlatformAppraisal => parse(platformAppraisal, text, 'platform appraisal');
