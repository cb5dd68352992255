/** Secrets on disk: written once, readable by their owner only, refused when anyone else may read them. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fault } from '../src/base/fault.js';

/** Writes a secret where there is none yet; what is there stays. @returns true when it was written */
export function createSecret(file: string, make: () => string): boolean {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, make(), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}

/** @throws Fault config.unreadable when the file is not there or is open to others */
export function readSecret(file: string): string {
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw Object.assign(new Error(), { code: 'others may read it, set its mode to 600' });
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}
