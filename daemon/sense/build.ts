/** The files of a new manifest: read once, all of them, as fast as the machine reads. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { ManifestFile } from '../../src/objects/manifest.js';
import { type Listed, list, resolveInside } from './files.js';

const CHUNK = 1 << 20;
const BREATH_MS = 20;
export interface Progress { readonly done: number; readonly all: number; readonly bytes: number }

/**
 * Hashes every file below a root, sorted by path: what `ari manifest build` signs. Files are read one after another without waiting: for the page
 * cache that is faster than any number of requests at once. A link to one of the `interpreters` is left out: they have a place of their own.
 * @throws Fault usage.wrong for another link that leads out of the root or a file that cannot be read, intake.too_large
 */
export async function hashTree(root: string, { interpreters = [], tell = () => undefined }: { interpreters?: readonly string[]; tell?: (progress: Progress) => void } = {}): Promise<ManifestFile[]> {
  const { files: all, unread } = await list(root);
  if (unread[0] !== undefined) throw fault('usage.wrong', { what: `${join(root, unread[0])} cannot be read` });
  const listed = all.filter(({ kind }) => kind !== 'pipe');
  const files: ManifestFile[] = [];
  let bytes = 0, breath = performance.now();
  for (const [done, { path, kind }] of listed.entries()) {
    if (kind === 'link' && await isLeftOut(root, path, interpreters)) continue;
    const { sha256, size } = hashOrRefuse(join(root, path));
    files.push({ path, sha256 });
    bytes += size;
    if (performance.now() - breath > BREATH_MS) {
      tell({ done, all: listed.length, bytes });
      await breathe();
      breath = performance.now();
    }
  }
  tell({ done: listed.length, all: listed.length, bytes });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function isLeftOut(root: string, path: string, interpreters: readonly Listed['path'][]): Promise<boolean> {
  if (await resolveInside(root, path) !== null) return statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (interpreters.includes(await realpath(join(root, path)).catch(() => ''))) return true;
  throw fault('usage.wrong', { what: `the link ${path} leads out of ${root}` });
}

function hashOrRefuse(path: string): { sha256: Sha256; size: number } {
  try {
    return hashFile(path);
  } catch (cause) {
    throw fault('usage.wrong', { what: `${path} cannot be read: ${(cause as Error).message}` });
  }
}

const buffer = Buffer.allocUnsafeSlow(CHUNK);
function hashFile(path: string): { sha256: Sha256; size: number } {
  const fd = openSync(path, 'r');
  try {
    if (!fstatSync(fd).isFile()) throw new Error('no regular file');
    const digest = createHash('sha256');
    let size = 0;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      digest.update(buffer.subarray(0, read));
      size += read;
    }
    return { sha256: digest.digest('base64url'), size };
  } finally {
    closeSync(fd);
  }
}
