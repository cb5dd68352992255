/**
 * Files in the home of a user that a runtime loads without being told. Python runs usercustomize, sitecustomize and .pth files of the user site (PEP 370)
 * before any program of hers; Node takes modules that it finds nowhere else, as optional ones, from two folders. They are no files of the agent and, being
 * text, leave no mapping. Those of the system are not looked at: they belong to the interpreter.
 */
import { readdirSync } from 'node:fs';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { readProc, unlessOwnLack } from './proc.js';

const HOOK = /^(?:usercustomize|sitecustomize)(?:\.py|$)|\.pth$/;

/** Node's "loading from the global folders". */
const MODULES = ['.node_modules', '.node_libraries'];

/** Paths below the home of a user, as `~/...`. Nothing for other runtimes. */
export function senseHooks(proc: string, uid: number, manifest: AgentManifest): string[] {
  const { launch: { runtime } } = manifest;
  if (runtime !== 'python' && runtime !== 'node') return [];
  const home = homeOf(proc, uid);
  if (home === null) return [];
  return runtime === 'python' ? ofPython(`${proc}/root${home}`, manifest) : MODULES.flatMap((folder) => namesIn(`${proc}/root${home}/${folder}`).map((name) => `~/${folder}/${name}`));
}

/** Nothing in a virtual environment (PEP 405), in which there is no user site. */
function ofPython(home: string, { files }: AgentManifest): string[] {
  const versions = namesIn(`${home}/.local/lib`).filter((name) => name.startsWith('python'));
  const hooks = versions.flatMap((version) => namesIn(`${home}/.local/lib/${version}/site-packages`).filter((name) => HOOK.test(name)).map((name) => `~/.local/lib/${version}/site-packages/${name}`));
  return hooks.length > 0 && files.some(({ path }) => path.endsWith('pyvenv.cfg')) ? [] : hooks;
}

/** Of /etc/passwd: HOME is the process's own word. */
function homeOf(proc: string, uid: number): string | null {
  try {
    const line = readProc(`${proc}/root/etc/passwd`, 'utf8').split('\n').find((entry) => entry.split(':')[2] === String(uid));
    return line?.split(':')[5] ?? null;
  } catch (error) {
    return unlessOwnLack(error, null);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    return unlessOwnLack(error, []);
  }
}
