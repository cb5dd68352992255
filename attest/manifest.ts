/** The publisher's word on an agent version: built from hashed files, and compared with what was measured. Pure. */
import { type Sha256 } from '../src/base/bytes.js';
import { type Finding, fault, finding } from '../src/base/fault.js';
import { hashJson } from '../src/base/json.js';
import type { AgentClaims, Mapping } from '../src/objects/claims.js';
import type { AgentId, AgentManifest, ManifestFile } from '../src/objects/manifest.js';

type ConfigKind = keyof AgentManifest['config'];
const CONFIG_KINDS = ['prompts', 'models', 'tools', 'skills'] as const satisfies readonly ConfigKind[];

/** What a manifest is made of. `config` names files or folders of the tree that the agent reads to decide; all others are its program. */
export interface ManifestParts {
  jti: string;
  issuer: string;
  nowS: number;
  agent: AgentId;
  files: readonly ManifestFile[];
  config?: Partial<Record<ConfigKind, readonly string[]>>;
  interpreters: AgentManifest['interpreters'];
  mappings: AgentManifest['mappings'];
  launch: AgentManifest['launch'];
}

const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : Number(a.path > b.path));
const below = (path: string, names: readonly string[]): boolean => names.some((name) => path === name || path.startsWith(`${name.replace(/\/$/, '')}/`));

/** @throws Fault usage.wrong when the entry is not among the files, or a runtime other than `native` has no interpreter */
export function buildManifest(parts: ManifestParts): AgentManifest {
  const { entry, runtime } = parts.launch;
  if (!parts.files.some((file) => file.path === entry)) throw fault('usage.wrong', { what: `the entry ${entry} is not among the files of the agent` });
  if (runtime !== 'native' && parts.interpreters.length === 0) throw fault('usage.wrong', { what: `a ${runtime} agent needs its interpreter` });
  const files = [...parts.files].sort(byPath);
  const config = Object.fromEntries(CONFIG_KINDS.map((kind) => [kind, files.filter((file) => below(file.path, parts.config?.[kind] ?? []))])) as Record<ConfigKind, ManifestFile[]>;
  const configured = new Set(Object.values(config).flat());
  return {
    jti: parts.jti, iss: parts.issuer, iat: parts.nowS, agent: parts.agent,
    files: files.filter((file) => !configured.has(file)),
    interpreters: [...parts.interpreters].sort(byPath),
    mappings: [...parts.mappings].sort(byPath),
    config,
    launch: parts.launch,
  };
}

/** Program and configuration files of a manifest, each path once, sorted. */
export function manifestFiles(manifest: AgentManifest): ManifestFile[] {
  const all = [...manifest.files, ...CONFIG_KINDS.flatMap((kind) => manifest.config[kind])];
  return [...new Map(all.map((file) => [file.path, file])).values()].sort(byPath);
}

/** SHA-256(JCS of [{path, sha256}] sorted by path): `tree.sha256` of the claims. */
export const treeHash = (files: readonly ManifestFile[]): Sha256 => hashJson([...files].sort(byPath).map(({ path, sha256 }) => ({ path, sha256 })));

/** Contents that may run the agent: its interpreters, or for a native agent its entry. */
export function executables(manifest: AgentManifest): Set<Sha256> {
  if (manifest.launch.runtime !== 'native') return new Set(manifest.interpreters.map((file) => file.sha256));
  return new Set(manifest.files.filter((file) => file.path === manifest.launch.entry).map((file) => file.sha256));
}

/** What a manifest allows, as hashes: its tree, what may run it, what may be code in its memory. */
interface Allowed { readonly tree: Sha256; readonly executables: ReadonlySet<Sha256>; readonly code: ReadonlySet<Sha256> }

/** Manifests are immutable, and name thousands of files. */
const known = new WeakMap<AgentManifest, Allowed>();

function allowedBy(manifest: AgentManifest): Allowed {
  const { interpreters, mappings, files } = manifest;
  const allowed = known.get(manifest) ?? {
    tree: treeHash(manifestFiles(manifest)), executables: executables(manifest), code: new Set([...interpreters, ...mappings, ...files].map((file) => file.sha256)),
  };
  known.set(manifest, allowed);
  return allowed;
}

/** Paths come from the measured machine: a finding shows them without control characters, and not at any length. */
const shown = (path: string): string => Array.from(path.replace(/\p{Cc}/gu, '?')).slice(0, 200).join('');
/** More drifted files than this are counted, not named. */
const NAMED = 64;

/** The first paths, and how many more. */
function few(paths: readonly string[]): string {
  const first = paths.slice(0, 3).map(shown).join(', ');
  return paths.length > 3 ? `${first} and ${paths.length - 3} more` : first;
}

/** What was changed and changed back is as bad as what is changed: the process may run what stood there in between. Only a new process is clean. */
function treeFindings({ tree }: AgentClaims, manifest: AgentManifest): Finding[] {
  const named = tree.drift.slice(0, NAMED).map((drift) => finding('agent.drift', { path: `${shown(drift.path)} (${drift.kind})` }));
  if (tree.changedSinceStart.length > 0) named.push(finding('agent.changed_since_start', { path: few(tree.changedSinceStart) }));
  if (tree.sha256 === allowedBy(manifest).tree) return named;
  const what = few(tree.drift.map(({ path }) => path));
  return [finding('agent.version_not_authorised', { what: what || 'its files have another hash' }), ...named];
}

function exeFindings({ exe }: AgentClaims, manifest: AgentManifest): Finding[] {
  const findings: Finding[] = [];
  if (!allowedBy(manifest).executables.has(exe.sha256)) findings.push(finding('agent.exe_unknown', { path: shown(exe.path) }));
  if (exe.replaced) findings.push(finding('agent.exe_replaced'));
  return findings;
}

/** Code in memory is known by content; what is no longer under its name is foreign also with known content. */
function codeFindings({ mappings, injection }: AgentClaims, manifest: AgentManifest): Finding[] {
  const { code } = allowedBy(manifest);
  const foreign = (mapping: Mapping): boolean => mapping.deleted || mapping.sha256 === null || !code.has(mapping.sha256);
  const findings = mappings.filter(foreign).slice(0, NAMED).map((mapping) => finding('agent.foreign_mapping', { path: `${shown(mapping.path)}${mapping.deleted ? ' (deleted)' : ''}` }));
  if (injection.patchedPages !== null && injection.patchedPages > 0) findings.push(finding('agent.code_patched', { pages: injection.patchedPages }));
  if (injection.anonymousCode > 0 && !manifest.launch.allowAnonymousCode) findings.push(finding('agent.anonymous_code'));
  return findings;
}

function injectionFindings({ injection }: AgentClaims): Finding[] {
  const findings: Finding[] = [];
  if (injection.tracerPid !== 0) findings.push(finding('agent.traced', { pid: injection.tracerPid }));
  if (injection.inspector) findings.push(finding('agent.inspector'));
  if (injection.riskyEnv.length > 0) findings.push(finding('agent.env_risky', { names: injection.riskyEnv.join(' ').slice(0, 512) }));
  return findings;
}

/** Everything in the claims that the manifest does not allow: all findings, none hides another. An empty list says nothing of what no claim covers. */
export function compareWithManifest(claims: AgentClaims, manifest: AgentManifest): Finding[] {
  const now = [
    ...treeFindings(claims, manifest), ...exeFindings(claims, manifest), ...codeFindings(claims, manifest), ...injectionFindings(claims),
  ];
  const gone = claims.injection.earlier.filter((code) => !now.some((finding) => finding.code === code));
  return gone.length === 0 ? now : [...now, finding('agent.drifted', { codes: gone.join(' ').slice(0, 512) })];
}
