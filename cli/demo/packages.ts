/** Programs of Debian packages: installed here where that is allowed, named where it is not. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../src/base/fault.js';

/** A Debian package and the programs of it that are needed. */
export type Needed = Readonly<Record<string, readonly string[]>>;
export const SWTPM: Needed = { swtpm: ['swtpm'], 'swtpm-tools': ['swtpm_setup', 'swtpm_localca', 'swtpm_ioctl'] };

function installed(program: string): boolean {
  return [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', '/usr/local/bin'].some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Makes sure that programs are there. @throws Fault usage.wrong with the exact command when they are not and cannot be installed */
export function ensurePackages(needed: Needed, say: (text: string) => void): void {
  const missing = Object.keys(needed).filter((name) => !needed[name]?.every(installed));
  if (missing.length === 0) return;
  const manual = `apt-get install -y ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !installed('apt-get')) throw fault('usage.wrong', { what: `${missing.join(' and ')} must be installed first; run: sudo ${manual}` });
  say(`installing ${missing.join(' and ')} (Debian packages) ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...missing]]) {
    const { status, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
    if (status !== 0) throw fault('usage.wrong', { what: `apt-get ${args[0]} failed: ${stderr.trim().split('\n').at(-1) ?? ''}; run: sudo ${manual}` });
  }
}
