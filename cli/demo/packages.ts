/** The software TPM's programs: Debian packages, installed here where that is allowed, named where it is not. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../src/base/fault.js';

const PROGRAMS = ['swtpm', 'swtpm_setup', 'swtpm_localca', 'swtpm_ioctl'];
const PACKAGES = ['swtpm', 'swtpm-tools'];

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

/** @returns true when they had to be installed. @throws Fault usage.wrong with the exact command when they cannot be */
export function ensureSwtpm(say: (text: string) => void): boolean {
  if (PROGRAMS.every(installed)) return false;
  const manual = `apt-get install -y ${PACKAGES.join(' ')}`;
  if (process.getuid?.() !== 0 || !installed('apt-get')) throw fault('usage.wrong', { what: `the software TPM is not installed; run: sudo ${manual}` });
  say(`installing ${PACKAGES.join(' and ')} (Debian packages) ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES]]) {
    const { status, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
    if (status !== 0) throw fault('usage.wrong', { what: `apt-get ${args[0]} failed: ${stderr.trim().split('\n').at(-1) ?? ''}; run: sudo ${manual}` });
  }
  return true;
}
