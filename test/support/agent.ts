/** An agent that is as its publisher made it: the manifest, signed, and the claims that a measurement of it gives. */
import { sha256 } from '../../src/base/bytes.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { AGENT_MANIFEST, type AgentManifest } from '../../src/objects/manifest.js';
import { type Verified, open, seal } from '../../src/objects/signed.js';
import { treeHash } from '../../attest/manifest.js';
import { manifest as exampleManifest } from './examples.js';
import { SIGNERS, keys } from './keys.js';

/** A manifest without configuration, and claims that it allows entirely. */
export const MANIFEST: AgentManifest = { ...exampleManifest, config: { prompts: [], models: [], tools: [], skills: [] } };
/** Of an agent of so many files. */
export const manifestOf = (files: number): AgentManifest =>
  ({ ...MANIFEST, files: [...MANIFEST.files, ...Array.from({ length: files - MANIFEST.files.length }, (_, n) => ({ path: `node_modules/package-${String(n).padStart(5, '0')}/index.js`, sha256: sha256(`file ${n}`) }))] });
export const verifiedManifest = (value: AgentManifest = MANIFEST): Verified<AgentManifest> => open(AGENT_MANIFEST, seal(AGENT_MANIFEST, value, SIGNERS.publisher), keys);
export const claimsFor = (manifest: Verified<AgentManifest>, agentId = manifest.value.agent.id): AgentClaims => ({
  v: 'ari-agent-1', agentId, manifestSha256: manifest.sha256, mode: 'attach',
  exe: { path: '/usr/bin/node', sha256: manifest.value.interpreters[0]!.sha256, replaced: false },
  tree: { files: manifest.value.files.length, sha256: treeHash(manifest.value.files), drift: [], changedSinceStart: [] },
  mappings: [], injection: { tracerPid: 0, anonymousCode: 0, inspector: false, patchedPages: 0, riskyEnv: [], earlier: [] },
  process: { uid: 1000, gid: 1000, startTicks: '1', noNewPrivs: false, seccomp: 0, capEff: '0'.repeat(16), capBnd: '0'.repeat(16), unit: null, cgroup: sha256('cgroup'), namespaces: sha256('namespaces'), envNames: [] },
  kernel: { tainted: 0, lockdown: 'integrity', ptraceScope: 2, signedModules: true },
});
