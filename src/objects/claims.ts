/** What was measured of a running agent. No values of its environment and no file contents are in it. */
import { z } from 'zod';
import type { Sha256 } from '../base/bytes.js';
import { type Of, count, hashOf, name, record, sha256Text } from '../base/shape.js';

/** A file-backed executable mapping. `foreign` is not said here: the verifier compares with the manifest. */
export const mapping = record({ path: z.string().max(4096), sha256: sha256Text.nullable(), deleted: z.boolean() });
export type Mapping = Of<typeof mapping>;

/** A file of the agent's tree that is not as in the manifest. */
export const drift = record({ path: z.string().max(4096), kind: z.enum(['missing', 'changed', 'extra', 'unreadable']), sha256: sha256Text.nullable() });
export type Drift = Of<typeof drift>;

const capabilities = z.string().regex(/^[0-9a-f]{16}$/);
export const LOCKDOWNS = ['none', 'integrity', 'confidentiality'] as const;

export const agentClaims = record({
  v: z.literal('ari-agent-1'),
  agentId: name(),
  manifestSha256: sha256Text,
  mode: z.enum(['attach', 'launch']),
  exe: record({ path: z.string().max(4096), sha256: sha256Text, replaced: z.boolean() }),
  /**
   * `sha256`: SHA-256(JCS of [{path, sha256}] sorted by path) over all files and config files that the manifest names, as found on disk.
   * `changed_since_start`: those that are as in the manifest and were touched while this process ran, and code beside them that came and went while it
   * ran: what it loaded meanwhile is not known.
   */
  tree: record({ files: count, sha256: sha256Text, drift: z.array(drift).max(256), changedSinceStart: z.array(z.string().max(4096)).max(64) }),
  mappings: z.array(mapping).max(4096),
  injection: record({
    tracerPid: count,
    anonymousCode: count,
    inspector: z.boolean(),
    /** Pages of mapped code that are no longer those of the file; null where the kernel does not say. */
    patchedPages: count.nullable(),
    riskyEnv: z.array(name(256)).max(64),
    /** Codes of what weighed against this process when it was looked at before. */
    earlier: z.array(name(64)).max(32),
  }),
  process: record({
    uid: count, gid: count, startTicks: z.string().regex(/^[0-9]{1,20}$/),
    noNewPrivs: z.boolean(), seccomp: count, capEff: capabilities, capBnd: capabilities,
    unit: z.string().max(512).nullable(),
    /** SHA-256 of the path in the cgroup hierarchy. */
    cgroup: sha256Text,
    namespaces: sha256Text,
    /** Names of the environment at start, sorted: the first 128 that are plain names. */
    envNames: z.array(name(256)).max(128),
  }),
  /** What the kernel of the device lets others do to a process. Null: it does not say. */
  kernel: record({
    /** Bits of /proc/sys/kernel/tainted. */
    tainted: count.nullable(),
    lockdown: z.enum(LOCKDOWNS).nullable(),
    /** Yama's: 0 every process of the user may trace, 3 none. */
    ptraceScope: z.int().min(0).max(3).nullable(),
    /** Whether only signed modules are loaded. */
    signedModules: z.boolean().nullable(),
  }),
});
export type AgentClaims = Of<typeof agentClaims>;
/** `agent_sha256`. */
export const agentHash = (value: AgentClaims): Sha256 => hashOf(agentClaims, value);
