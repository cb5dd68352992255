/** What a publisher says an agent version consists of. One mandate names one manifest. */
import { z } from 'zod';
import { type Of, name, record, seconds, sha256Text, text } from '../base/shape.js';
import { SIGNED_BYTES, signedKind } from './signed.js';

/** A path below the agent's root, with `/`, without `..`. */
export const relativePath = z.string().min(1).max(4096).refine((p) => !p.startsWith('/') && !p.split('/').some((s) => s === '..' || s === '.' || s === ''), 'must be a plain relative path');

export const agentId = record({ id: name(), version: name(64), publisher: name() });
export type AgentId = Of<typeof agentId>;

const digestOf = record({ path: z.string().min(1).max(4096), sha256: sha256Text });
export const manifestFile = record({ path: relativePath, sha256: sha256Text });
export type ManifestFile = Of<typeof manifestFile>;

export const agentManifest = record({
  jti: text(64),
  iss: name(),
  iat: seconds,
  agent: agentId,
  /** Program files below the agent's root, sorted by path. For a native agent the executable is among them. */
  files: z.array(manifestFile).max(200_000),
  /** Executables that may run the agent, by content. */
  interpreters: z.array(digestOf).max(16),
  /** Further files that may be mapped as code (shared libraries), by content. */
  mappings: z.array(digestOf).max(4096),
  /** What the agent reads to decide: prompts, models, tools, skills; also below the root. */
  config: record({ prompts: z.array(manifestFile), models: z.array(manifestFile), tools: z.array(manifestFile), skills: z.array(manifestFile) }),
  launch: record({ entry: relativePath, runtime: z.enum(['native', 'node', 'python', 'jvm', 'shell']), allowAnonymousCode: z.boolean() }),
});
/** Characters of a signed manifest: what the longest payload that is read makes, with header and signature. An agent of some 30,000 files. */
export const MANIFEST_TOKEN = Math.ceil(SIGNED_BYTES / 3) * 4 + 1024;
export type AgentManifest = Of<typeof agentManifest>;
export const AGENT_MANIFEST = signedKind('ari-manifest+jwt', 'publisher', agentManifest);

/** A publisher's word that one of its agent versions may pay no more, whoever authorised it. For ever. */
export const manifestOrder = record({ jti: text(64), iss: name(), iat: seconds, exp: seconds, action: z.literal('revoke'), manifestSha256: sha256Text });
export type ManifestOrder = Of<typeof manifestOrder>;
export const MANIFEST_ORDER = signedKind('ari-manifest-order+jwt', 'publisher', manifestOrder);
