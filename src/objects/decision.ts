/** The verifier's decision: a deterministic function of hashed inputs. An auditor replays it from the bundle. */
import { z } from 'zod';
import { type Of, count, id, millis, name, record, seconds, sha256Text, text, url } from '../base/shape.js';
import { isCode, type Code } from '../codes.js';
import { DECISIONS, LEVELS, POLICY_STAGES, TIERS } from '../names.js';
import { money } from '../money.js';
import { REVISIONS_MAX } from './carrier.js';
import { findingShape } from './ear.js';
import { environmentPolicy } from './environment.js';
import { payee } from './intent.js';
import { bootReference, imaPolicy, ukiReference } from './reference.js';
import { signedKind } from './signed.js';
import { userKid } from './userkey.js';

export const policy = record({
  iss: url,
  iat: seconds,
  id: name(),
  version: count,
  stage: z.enum(POLICY_STAGES),
  allowSimulated: z.boolean(),
  /** Levels that may be used at all. L5 only stands here on purpose. */
  levels: z.array(z.enum(LEVELS)),
  minTier: z.enum(TIERS),
  /** PCRs the platform quote must cover. */
  pcrs: z.array(z.int().min(0).max(23)).max(24),
  /** Age in ms of the platform quote at payment time, by the TPM's clock. */
  platformMaxAgeMs: count,
  requireBootLog: z.boolean(),
  requireIma: z.boolean(),
  /** What the firmware and the loaders of a good machine measured; judged by `stage`. */
  bootReference: bootReference.optional(),
  /** Unified kernel images that hold the sidecar (tier T3); judged by `stage`. */
  uki: ukiReference.optional(),
  ima: imaPolicy.optional(),
  /** What is asked of an agent's surroundings. Absent: nothing is, and what is open is noted. */
  environment: environmentPolicy.optional(),
  confirmationMaxS: count,
});
export type Policy = Of<typeof policy>;
export const POLICY = signedKind('ari-policy+jwt', 'operator', policy);

export const check = record({ check: name(64), result: z.enum(DECISIONS), code: z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null> });
export type Check = Of<typeof check>;

export const decision = record({
  iss: url,
  jti: text(64),
  iat: seconds,
  exp: seconds,
  paymentId: id('pay'),
  attempt: count,
  decision: z.enum(DECISIONS),
  level: z.enum(LEVELS),
  code: z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null>,
  inputs: record({
    paymentSha256: sha256Text,
    mandateSha256: sha256Text.nullable(),
    closedSha256: sha256Text.nullable(),
    carrierSha256: sha256Text.nullable(),
    /** Of the carrier's revisions since the one that the mandate names, oldest first. */
    revisionsSha256: z.array(sha256Text).max(REVISIONS_MAX),
    /** The keys of users that spoke when this was decided: of the mandate, and of the consent when that is another. */
    userKids: z.array(userKid).max(2),
    earSha256: sha256Text.nullable(),
    confirmationSha256: sha256Text.nullable(),
    /** The offline allowance that the payment was made under; absent when it was made online. */
    allowanceSha256: sha256Text.optional(),
    stateSha256: sha256Text,
    nowMs: millis,
  }),
  policy: record({ id: name(), version: count, sha256: sha256Text }),
  checks: z.array(check).max(64),
  findings: z.array(findingShape).max(256),
  obligations: z.array(name(64)).max(16),
});
export type Decision = Of<typeof decision>;
export const DECISION = signedKind('ari-decision+jwt', 'verifier', decision);

/** The user's consent to exactly these terms. It permits nothing by itself: it is an input of the next attempt's decision. */
export const confirmation = record({
  jti: id('cnf'),
  sub: id('usr'),
  iat: seconds,
  exp: seconds,
  paymentId: id('pay'),
  paymentSha256: sha256Text,
  termsSha256: sha256Text,
  amount: money,
  payee,
});
export type Confirmation = Of<typeof confirmation>;
export const CONFIRMATION = signedKind('ari-confirmation+jwt', 'user', confirmation);
/** The same consent, given with a passkey: signed by the consent service, and worth nothing without the passkey's assertion beside it. */
export const CONSENT = signedKind('ari-confirmation+jwt', 'consent', confirmation);
