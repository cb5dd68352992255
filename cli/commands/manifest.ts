import { randomBytes } from 'node:crypto';
import { realpathSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { buildManifest, manifestFiles } from '../../attest/manifest.js';
import { hashTree, type Progress } from '../../daemon/sense/build.js';
import { learnMappings, mappingsOf } from '../../daemon/sense/learn.js';
import { fileHashes } from '../../daemon/sense/hash.js';
import { ulid } from '../../src/base/id.js';
import { parse, stringify } from '../../src/base/shape.js';
import { AGENT_MANIFEST, type AgentManifest, agentManifest } from '../../src/objects/manifest.js';
import { open, seal, SIGNED_BYTES } from '../../src/objects/signed.js';
import { parseTrust } from '../../src/objects/trust.js';
import { createKey, loadKey, readFile } from '../keys.js';
import { paint, show } from '../output.js';
import { revokeCommand } from './manifest-revoke.js';
import { keyOption, list } from './options.js';

interface BuildOptions { id: string; version: string; publisher: string; entry: string; runtime: AgentManifest['launch']['runtime']; interpreter?: string; prompts: string[]; models: string[]; tools: string[]; skills: string[]; running?: string; out?: string; json?: boolean }
type Parts = Omit<BuildOptions, 'out' | 'json' | 'running'> & { mappings?: AgentManifest['mappings'] };

/** On a terminal, for trees that take a while. */
function tellProgress({ done, all, bytes }: Progress): void {
  if (!process.stderr.isTTY || all < 2000) return;
  process.stderr.write(done < all ? `\r${done.toLocaleString('en')} of ${all.toLocaleString('en')} files, ${(bytes / 1e6).toFixed(0)} MB` : '\r\u001b[K');
}

/** Builds the manifest of a folder, or of one file in its folder. `mappings`: what was seen to be mapped, in place of what the interpreter maps by itself. */
export async function build(path: string, options: Parts): Promise<AgentManifest> {
  const dir = statSync(path).isDirectory() ? resolve(path) : dirname(resolve(path));
  const interpreter = options.interpreter === undefined ? undefined : realpathSync(options.interpreter);
  const files = dir === resolve(path) ? await hashTree(dir, { interpreters: interpreter === undefined ? [] : [interpreter], tell: tellProgress }) : [{ path: basename(path), sha256: (await fileHashes.hash(path)).sha256 }];
  return buildManifest({
    jti: ulid(Date.now(), randomBytes(10)), issuer: options.publisher, nowS: Math.floor(Date.now() / 1000),
    agent: { id: options.id, version: options.version, publisher: options.publisher },
    files,
    config: { prompts: options.prompts, models: options.models, tools: options.tools, skills: options.skills },
    interpreters: interpreter === undefined ? [] : [{ path: interpreter, sha256: (await fileHashes.hash(interpreter)).sha256 }],
    mappings: options.mappings ?? (interpreter === undefined ? [] : await learnMappings(interpreter, options.runtime)),
    launch: { entry: options.entry, runtime: options.runtime, allowAnonymousCode: options.runtime === 'node' || options.runtime === 'jvm' },
  });
}

/** What one manifest has and the other has not, by path. */
function difference(a: AgentManifest, b: AgentManifest): { added: string[]; removed: string[]; changed: string[] } {
  const before = new Map(manifestFiles(a).map((file) => [file.path, file.sha256]));
  const after = new Map(manifestFiles(b).map((file) => [file.path, file.sha256]));
  return {
    added: [...after.keys()].filter((path) => !before.has(path)),
    removed: [...before.keys()].filter((path) => !after.has(path)),
    changed: [...after].filter(([path, sha256]) => before.has(path) && before.get(path) !== sha256).map(([path]) => path),
  };
}

/** A manifest from a file: signed (its signature is not looked at here) or as built. */
function readManifest(file: string): AgentManifest {
  const text = readFile(file).trim();
  if (text.startsWith('{')) return parse(agentManifest, text, 'manifest', { bytes: SIGNED_BYTES });
  const payload = Buffer.from(text.split('.')[1] ?? '', 'base64url');
  return parse(agentManifest, payload, 'manifest', { bytes: SIGNED_BYTES });
}

/** Modules of a Python agent whose compiled form is not in the manifest (PEP 3147). */
function uncompiledIn({ files, launch }: AgentManifest): string[] {
  if (launch.runtime !== 'python') return [];
  const compiled = new Set(files.map(({ path }) => /^(.*?)__pycache__\/([^/]+?)\.[^/]*\.pyc$/.exec(path)).map((found) => (found === null ? '' : `${found[1]}${found[2]}.py`)));
  return files.map(({ path }) => path).filter((path) => path.endsWith('.py') && path !== launch.entry && !compiled.has(path));
}
const uncompiledHint = (count: number, path: string): string =>
  `\n${count} modules have no compiled form here. Python writes it when it imports them, and code that no manifest names is drift.\nCompile them first (python3 -m compileall --invalidation-mode checked-hash ${path}), or start the agent with \`ari run\`, which lets Python write none.`;

function buildCommand(manifest: Command): void {
  manifest.command('build <PATH>')
    .summary('hash the files of an agent')
    .description('Builds the manifest of the agent in PATH, a folder or one file: every file by content, the interpreter that may run it, and the libraries that this\ninterpreter maps. Of a native or JVM agent the libraries are learnt from a running one: --running.')
    .requiredOption('--id <ID>', 'agent id, e.g. com.example.shopper')
    .requiredOption('--version <VERSION>', 'agent version')
    .requiredOption('--publisher <NAME>', 'who answers for it')
    .requiredOption('--entry <PATH>', 'main file, below PATH')
    .option('--runtime <NAME>', 'native, node, python, jvm or shell', 'node')
    .option('--interpreter <FILE>', 'the program that runs it (for runtime node: this one)')
    .option('--prompts <PATH>', 'file or folder below PATH that holds prompts (repeatable)', list, [])
    .option('--models <PATH>', 'the same for models', list, [])
    .option('--tools <PATH>', 'the same for tools', list, [])
    .option('--skills <PATH>', 'the same for skills', list, [])
    .option('--running <PID>', 'take the libraries that this process maps: the agent, exercised, on a clean machine')
    .option('-o, --out <FILE>', 'write there instead of standard output')
    .option('--json', 'print one JSON object about what was written (with --out)')
    .action(async (path: string, { running, ...options }: BuildOptions) => {
      const interpreter = options.interpreter ?? (options.runtime === 'node' ? process.execPath : undefined);
      const built = await build(path, { ...options, ...(interpreter === undefined ? {} : { interpreter }), ...(running === undefined ? {} : { mappings: await mappingsOf(Number(running)) }) });
      const text = stringify(agentManifest, built);
      if (options.out === undefined) return void process.stdout.write(`${text}\n`);
      writeFileSync(options.out, `${text}\n`);
      const uncompiled = uncompiledIn(built).length;
      show({ file: options.out, files: built.files.length, mappings: built.mappings.length, uncompiled }, options, () => `${options.out}: ${built.files.length} files, ${built.mappings.length} libraries${uncompiled === 0 ? '' : uncompiledHint(uncompiled, path)}`);
    });
}

export const manifest = (ari: Command): void => {
  const group = ari.command('manifest').summary('say what an agent version consists of').description('Builds, signs and compares agent manifests. A mandate names one manifest; an agent that differs from it is refused.');
  buildCommand(group);
  group.command('key <FILE>')
    .summary("make a publisher's key")
    .description('Makes a P-256 key. FILE holds the private key (mode 0600), FILE.pub the public one: give that to the verifiers that shall trust you.')
    .action((file: string) => {
      const { jwk } = createKey(file, 'publisher');
      writeFileSync(`${file}.pub`, `${JSON.stringify(jwk)}\n`);
    });
  group.command('sign <FILE>')
    .summary('sign a built manifest as its publisher')
    .description('Signs FILE and writes the token that the sidecar and the verifier take.')
    .addOption(keyOption("the publisher's"))
    .option('-o, --out <FILE>', 'write there instead of standard output')
    .action((file: string, options: { key: string; out?: string }) => {
      const token = seal(AGENT_MANIFEST, parse(agentManifest, readFile(file), 'manifest', { bytes: SIGNED_BYTES }), loadKey(options.key, 'publisher'));
      if (options.out === undefined) process.stdout.write(`${token}\n`);
      else writeFileSync(options.out, `${token}\n`);
    });
  revokeCommand(group);
  group.command('verify <FILE>')
    .summary('check the signature of a manifest, and optionally a folder against it')
    .description('Checks that FILE is signed by a publisher of the keys file; with --dir also that the folder holds exactly its files.')
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--dir <DIR>', 'compare this folder')
    .option('--json', 'print one JSON object')
    .action(async (file: string, options: { keys: string; dir?: string; json?: boolean }) => {
      const { value, sha256 } = open(AGENT_MANIFEST, readFile(file).trim(), parseTrust(readFile(options.keys)).keys);
      const files = options.dir === undefined ? null : await hashTree(resolve(options.dir), { interpreters: value.interpreters.map(({ path }) => path) });
      const diff = files && difference(value, { ...value, files, config: { prompts: [], models: [], tools: [], skills: [] } });
      const ok = !diff || Object.values(diff).every((paths) => paths.length === 0);
      show({ ok, manifest_sha256: sha256, agent: { id: value.agent.id, version: value.agent.version }, difference: diff }, options, () => report(ok, `${value.agent.id} ${value.agent.version}  ${sha256}`, diff));
      process.exitCode = ok ? 0 : 1;
    });
  group.command('diff <A> <B>')
    .summary('compare two manifests')
    .description('Names the files that differ between two manifests, signed or not. Exit status 1 when there are any.')
    .option('--json', 'print one JSON object')
    .action((a: string, b: string, options: { json?: boolean }) => {
      const diff = difference(readManifest(a), readManifest(b));
      const same = Object.values(diff).every((paths) => paths.length === 0);
      show({ same, ...diff }, options, () => report(same, same ? 'no difference' : 'they differ', diff));
      process.exitCode = same ? 0 : 1;
    });
};

function report(ok: boolean, line: string, diff: ReturnType<typeof difference> | null): string {
  const marks = diff ? [...diff.added.map((p) => `+ ${p}`), ...diff.removed.map((p) => `- ${p}`), ...diff.changed.map((p) => `~ ${p}`)] : [];
  return [`${ok ? paint('green', 'ok') : paint('red', 'not ok')}  ${line}`, ...marks].join('\n');
}

