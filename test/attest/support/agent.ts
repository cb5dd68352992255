/** An agent of two files on Node, as its publisher made it, and what is measured of it. */
import { buildManifest } from '../../../attest/manifest.js';
import { type FoundFile, measure, measureTree, type Snapshot } from '../../../attest/measure.js';
import { sha256 } from '../../../src/base/bytes.js';
import type { AgentClaims } from '../../../src/objects/claims.js';
import type { AgentManifest } from '../../../src/objects/manifest.js';

export const manifest: AgentManifest = buildManifest({
  jti: 'm-1', issuer: 'publisher', nowS: 1_800_000_000, agent: { id: 'shopper', version: '1.0.0', publisher: 'publisher' },
  files: [{ path: 'main.js', sha256: sha256('main') }, { path: 'prompt.txt', sha256: sha256('prompt') }], config: { prompts: ['prompt.txt'] },
  interpreters: [{ path: '/usr/bin/node', sha256: sha256('node') }], mappings: [{ path: '/lib/libc.so.6', sha256: sha256('libc') }],
  launch: { entry: 'main.js', runtime: 'node', allowAnonymousCode: true },
});
export const manifestWith = (change: Partial<AgentManifest>): AgentManifest => ({ ...manifest, ...change });

const FILES: readonly FoundFile[] = [{ path: 'main.js', state: 'read', sha256: sha256('main') }, { path: 'prompt.txt', state: 'read', sha256: sha256('prompt') }];
/** What a test changes: of a snapshot, or of the files that were found. */
export type Change = Partial<Snapshot> & { files?: readonly FoundFile[]; touched?: readonly string[] };
export const cleanSnapshot = ({ files = FILES, touched = [], ...change }: Change = {}): Snapshot => ({
  exe: { path: '/usr/bin/node', sha256: sha256('node'), replaced: false },
  mappings: [{ path: '/usr/bin/node', sha256: sha256('node'), deleted: false }, { path: '/lib/libc.so.6', sha256: sha256('libc'), deleted: false }],
  anonymousCode: 1, tracerPid: 0, inspector: false, envNames: ['HOME', 'PATH'], options: [], hooks: [],
  process: { uid: 1000, gid: 1000, startTicks: '4711', noNewPrivs: true, seccomp: 2, capEff: '0000000000000000', capBnd: '0000000000000000', unit: 'shopper.service', cgroup: '/system.slice/shopper.service', namespaces: { net: 'net:[1]' } },
  kernel: { tainted: 0, lockdown: 'integrity', ptraceScope: 1, signedModules: true }, patchedPages: 0,
  tree: measureTree(files, manifest, touched),
  ...change,
});

export const claimsOf = (snapshot: Snapshot, against = manifest, earlier: readonly string[] = []): AgentClaims => measure(snapshot, { agentId: 'shopper', manifestSha256: sha256('token'), manifest: against, mode: 'attach', earlier });
