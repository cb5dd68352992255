/**
 * From the facts of a process to the claims that are bound and signed. Pure: `daemon/sense` reads the facts, the verifier compares the claims
 * with the manifest ({@link compareWithManifest}). Nothing here judges: what is not in the manifest is claimed, and found there.
 *
 * In attach mode environment and command line are the process's own memory. They may only lower: what is seen in them is a sign, what is
 * missing in them proves nothing.
 */
import { type Sha256, sha256 } from '../src/base/bytes.js';
import { hashJson } from '../src/base/json.js';
import type { AgentClaims, Drift, Mapping } from '../src/objects/claims.js';
import type { AgentManifest } from '../src/objects/manifest.js';
import { manifestFiles, treeHash } from './manifest.js';

/** A file below the agent's root as found: `sha256` is null exactly when the state is `missing` or `unreadable`. `extra`: code that no manifest names. */
export interface FoundFile { readonly path: string; readonly state: 'read' | 'missing' | 'unreadable' | 'extra'; readonly sha256: Sha256 | null }

/** What was read of a process, at one time. */
export interface Snapshot {
  readonly exe: { readonly path: string; readonly sha256: Sha256; readonly replaced: boolean };
  /** Every executable mapping with a file, an executable stack or heap under its name in brackets. */
  readonly mappings: readonly Mapping[];
  /** How many executable mappings have no file and no name. */
  readonly anonymousCode: number;
  /** Of any thread; 0 when none is traced. */
  readonly tracerPid: number;
  readonly inspector: boolean;
  readonly envNames: readonly string[];
  /** Pages of mapped code that are not the file's any more; null where the kernel does not say. */
  readonly patchedPages: number | null;
  /** Files outside of the agent that its runtime runs by itself before the agent. */
  readonly hooks: readonly string[];
  /** Names of the options before the program on the command line, without their values. */
  readonly options: readonly string[];
  readonly process: {
    readonly uid: number; readonly gid: number; readonly startTicks: string; readonly noNewPrivs: boolean; readonly seccomp: number;
    /** 16 lower-case hex digits. */
    readonly capEff: string;
    readonly capBnd: string;
    readonly unit: string | null;
    /** Path in the cgroup hierarchy. */
    readonly cgroup: string;
    /** Kind to identity, as the links of /proc/PID/ns say. */
    readonly namespaces: Readonly<Record<string, string>>;
  };
  readonly kernel: AgentClaims['kernel'];
  readonly tree: AgentClaims['tree'];
}

/** For which agent, and how it came under the sidecar's eyes. */
export interface AgentFacts { readonly agentId: string; readonly manifestSha256: Sha256; readonly manifest: AgentManifest; readonly mode: 'attach' | 'launch'; /** Codes that weighed against this process before. */ readonly earlier: readonly string[] }

type Runtime = AgentManifest['launch']['runtime'];
const LOADER_ENV = /^(?:LD_[A-Z_]+|GLIBC_TUNABLES|GCONV_PATH|OPENSSL_CONF|OPENSSL_MODULES)$/;
/** Variables that make a runtime load code it was not asked to. */
const RUNTIME_ENV: Record<Runtime, RegExp> = {
  native: /^$/,
  node: /^(?:NODE_OPTIONS|NODE_PATH|NODE_REPL_EXTERNAL_MODULE)$/,
  python: /^PYTHON(?:PATH|HOME|STARTUP|INSPECT|BREAKPOINT|USERBASE|PLATLIBDIR|EXECUTABLE|PERF_JIT_SUPPORT|PYCACHEPREFIX|WARNINGS)$/,
  jvm: /^(?:JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH)$/,
  shell: /^(?:BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|BASH_FUNC_.*)$/,
};
/** Options with the same effect. */
const RUNTIME_OPTION: Record<Runtime, RegExp> = {
  native: /^$/,
  node: /^(?:-r|--require|--import|--loader|--experimental-loader|-e|--eval|-p|--print|-pe|--env-file|--experimental-sea-config|--build-snapshot|--snapshot-blob)$/,
  python: /^-[a-zA-Z]*[cmi]/,
  jvm: /^(?:-javaagent|-agentlib|-agentpath|-Xrun|-Xbootclasspath|--patch-module|-Xdebug)/,
  shell: /^(?:-[a-zA-Z]*[cis]|--rcfile|--init-file)/,
};

/** Whether a variable of this name can make a program of this runtime run code that it was not asked to. */
export const isRisky = (name: string, runtime: Runtime): boolean => LOADER_ENV.test(name) || RUNTIME_ENV[runtime].test(name);

/** Names in environment and command line through which this runtime can be made to run foreign code. Options are written `argv:--name`, files `file:path`. */
function riskyNames(snapshot: Snapshot, runtime: Runtime): string[] {
  const variables = snapshot.envNames.filter((name) => isRisky(name, runtime));
  const options = snapshot.options.filter((name) => RUNTIME_OPTION[runtime].test(name)).map((name) => `argv:${name}`);
  const hooks = snapshot.hooks.map((path) => `file:${path}`);
  const plain = [...variables, ...options, ...hooks].map((name) => name.replace(/[^A-Za-z0-9._:@/+-]/g, '.').replace(/^[^A-Za-z0-9]/, 'x').slice(0, 256));
  return [...new Set(plain)].sort().slice(0, 64);
}

/** As the shape of a name has it; the others are left to {@link riskyNames}. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,255}$/;

/** What differs between the files found and those of the manifest, by path. */
function driftOf(found: readonly FoundFile[], manifest: AgentManifest): Drift[] {
  const expected = new Map(manifestFiles(manifest).map((file) => [file.path, file.sha256]));
  const drift = found.flatMap(({ path, state, sha256 }): Drift[] => {
    if (state !== 'read') return [{ path, kind: state, sha256 }];
    return expected.get(path) === sha256 ? [] : [{ path, kind: 'changed', sha256 }];
  });
  return drift.slice(0, 256);
}

/** The hash over what was found under the names of the manifest; with extra code it is no longer that of the manifest. */
const treeOf = (found: readonly FoundFile[]): Sha256 => treeHash(found.flatMap(({ path, sha256 }) => (sha256 === null ? [] : [{ path, sha256 }])));

/** What is claimed of the files found. `changedSinceStart`: paths of those that were touched while the process ran. */
export function measureTree(found: readonly FoundFile[], manifest: AgentManifest, changedSinceStart: readonly string[] = []): AgentClaims['tree'] {
  return { files: found.length, sha256: treeOf(found), drift: driftOf(found, manifest), changedSinceStart: changedSinceStart.slice(0, 64) };
}

export function measure(snapshot: Snapshot, facts: AgentFacts): AgentClaims {
  const { namespaces, cgroup, ...process } = snapshot.process;
  return {
    v: 'ari-agent-1',
    agentId: facts.agentId,
    manifestSha256: facts.manifestSha256,
    mode: facts.mode,
    exe: snapshot.exe,
    tree: snapshot.tree,
    mappings: [...snapshot.mappings],
    injection: {
      tracerPid: snapshot.tracerPid,
      anonymousCode: snapshot.anonymousCode,
      inspector: snapshot.inspector,
      patchedPages: snapshot.patchedPages,
      riskyEnv: riskyNames(snapshot, facts.manifest.launch.runtime),
      earlier: [...facts.earlier].sort().slice(0, 32),
    },
    process: { ...process, cgroup: sha256(cgroup), namespaces: hashJson(namespaces), envNames: snapshot.envNames.filter((name) => PLAIN_NAME.test(name)).slice(0, 128) },
    kernel: snapshot.kernel,
  };
}
