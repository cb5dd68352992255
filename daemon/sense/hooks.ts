/**
 * Startup files of a user that a Python interpreter runs before any program of hers: usercustomize, sitecustomize and .pth files of the user site
 * (PEP 370). They are no files of the agent and, being text, leave no mapping. Those of the system are not looked at: they belong to the interpreter.
 */
import { readdirSync } from 'node:fs';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { readProc, unlessOwnLack } from './proc.js';

const HOOK = /^(?:usercustomize|sitecustomize)(?:\.py|$)|\.pth$/;

/** Paths below the home of a user, as `~/...`. Nothing for other runtimes, and for a virtual environment (PEP 405), in which there is no user site. */
export function senseHooks(proc: string, uid: number, { launch, files }: AgentManifest): string[] {
  if (launch.runtime !== 'python') return [];
  const home = homeOf(proc, uid);
  if (home === null) return [];
  const versions = namesIn(`${proc}/root${home}/.local/lib`).filter((name) => name.startsWith('python'));
  const hooks = versions.flatMap((version) => namesIn(`${proc}/root${home}/.local/lib/${version}/site-packages`).filter((name) => HOOK.test(name)).map((name) => `~/.local/lib/${version}/site-packages/${name}`));
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
