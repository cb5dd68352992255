/** Recorded data from outside the project: `$ARI_VECTORS`, or `shared/vectors` beside the project. Tests that need it skip where it is absent. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const ROOT = process.env['ARI_VECTORS'] ?? fileURLToPath(new URL('../../../../shared/vectors', import.meta.url));

/** Parsed JSON of `swtpm/<name>`; null, with a word to the reader, where there is none. */
export function vectors<T>(name: string): T | null {
  const file = join(ROOT, 'swtpm', name);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T;
  console.warn(`skipped: no vectors at ${file} (set ARI_VECTORS)`);
  return null;
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}
