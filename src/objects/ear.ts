/**
 * EAT Attestation Result (draft-ietf-rats-ear, profile #03, underscore names) of one payment's evidence. What the appraisal found, as a token that a
 * payment service can read with any EAR library. Vector keys are AR4SI's and keep their hyphens.
 */
import { z } from 'zod';
import { type Of, type Shape, b64u, count, hex, id, name, record, seconds, sha256Text, text, u64, url } from '../base/shape.js';
import { isCode } from '../codes.js';
import type { Finding } from '../base/fault.js';
import { EAR_STATUSES, TIERS } from '../names.js';
import { signedKind } from './signed.js';

export const EAR_PROFILE = 'tag:ietf.org,2026:rats/ear#03';

/** AR4SI claims (draft-ietf-rats-ar4si): 0 none, 2..31 affirming, 32..95 warning, 96..127 contraindicated. */
export const AR4SI = ['instance-identity', 'hardware', 'configuration', 'executables', 'file-system', 'storage-opaque', 'runtime-opaque', 'sourced-data'] as const;
export type Ar4si = (typeof AR4SI)[number];
export const trustVector = z.partialRecord(z.enum(AR4SI), z.int().min(-128).max(127));
export type TrustVector = z.output<typeof trustVector>;

export const findingShape = record({ code: z.string().refine(isCode, 'must be a known code'), message: text(1024) }) as Shape<Finding>;

const submodule = <S extends Record<string, z.ZodType>>(extension: S) => record({
  earStatus: z.enum(EAR_STATUSES),
  earTrustworthinessVector: trustVector,
  earAppraisalPolicyIds: z.array(text(512)).max(8),
  eatNonce: b64u(64),
  ...extension,
});

export const ariPlatform = record({
  tier: z.enum(TIERS),
  simulated: z.boolean(),
  akName: hex(34),
  ekRoot: text(512).nullable(),
  firmware: u64,
  resetCount: count,
  restartCount: count,
  clock: u64,
  pcrBank: z.string().nullable(),
  secureBoot: z.boolean().nullable(),
  findings: z.array(findingShape),
});
export const ariAgent = record({
  agentId: name(),
  version: name(64),
  manifestSha256: sha256Text,
  agentSha256: sha256Text,
  mode: z.enum(['attach', 'launch']),
  findings: z.array(findingShape),
});

/** Who measured the sidecar's own files: nobody but itself, the kernel's IMA, or the unified kernel image that they came with. */
export const MEASURED_BY = ['self', 'ima', 'uki'] as const;
export type MeasuredBy = (typeof MEASURED_BY)[number];

export const ear = record({
  eatProfile: z.literal(EAR_PROFILE),
  iss: url,
  aud: url,
  sub: id('dev'),
  jti: text(64),
  iat: seconds,
  exp: seconds,
  earVerifierId: record({ developer: url, build: text() }),
  earStatus: z.enum(EAR_STATUSES),
  cnf: record({ jkt: sha256Text }),
  submods: record({
    platform: submodule({ ariPlatform }),
    sidecar: submodule({ ariSidecar: record({ version: text(64), measuredBy: z.enum(MEASURED_BY) }) }),
    agent: submodule({ ariAgent }),
  }),
  ariBinding: record({ paymentSha256: sha256Text, mandateSha256: sha256Text, closedSha256: sha256Text, nonce: sha256Text, seq: count, logN: count }),
  ariEvidence: record({ sha256: sha256Text }),
});
export type Ear = Of<typeof ear>;
export const EAR = signedKind('eat+jwt', 'verifier', ear);
