/** The files of an agent below its root: all of them for a new manifest, those of its manifest and code that it does not name for a measurement. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestFiles } from '../../attest/manifest.js';
import type { FoundFile } from '../../attest/measure.js';
import { fault } from '../../src/base/fault.js';
import type { AgentManifest, ManifestFile } from '../../src/objects/manifest.js';
import { type FileHashes, fileHashes } from './hash.js';

const FILES_MAX = 200_000;
const AT_ONCE = 8;
/** What a runtime loads by itself when it stands in the right place. Other files that no manifest names are the agent's data. */
const CODE = /(?:^|\/)package\.json$|\.(?:[cm]?[jt]s|node|wasm|so(?:\.[0-9.]+)?|py[cdo]?|pth|jar|class|sh)$/;

/** Applies work to each item, a few at a time, keeping the order. */
async function mapSome<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const out: U[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) out.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(work)));
  return out;
}

interface Listed { readonly path: string; readonly link: boolean }

/** Every file and symbolic link below a root, by relative path. Links to folders are not followed. */
async function list(root: string): Promise<Listed[]> {
  const found: Listed[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (isFile(entry)) found.push({ path, link: entry.isSymbolicLink() });
    }
    if (found.length > FILES_MAX) throw fault('intake.too_large', { size: found.length, max: FILES_MAX });
  }
  return found;
}

const isFile = (entry: Dirent): boolean => entry.isFile() || entry.isSymbolicLink();

/** True when a link leads to something below the root, which is listed under its own name. */
async function staysInside(root: string, path: string): Promise<boolean> {
  const [base, target] = await Promise.all([root, join(root, path)].map((name) => realpath(name).catch(() => null)));
  return typeof base === 'string' && typeof target === 'string' && (target === base || target.startsWith(`${base}/`));
}

/**
 * Hashes every file below a root, sorted by path: what `ari manifest build` signs.
 * @throws Fault usage.wrong for a link that leads out of the root or a file that cannot be read, intake.too_large
 */
export async function hashTree(root: string): Promise<ManifestFile[]> {
  const listed = await list(root);
  for (const { path, link } of listed) {
    if (link && !await staysInside(root, path)) throw fault('usage.wrong', { what: `the link ${path} leads out of ${root}` });
  }
  const files = await mapSome(listed, async ({ path }) => await isFolder(root, path) ? [] : [{ path, sha256: await hashOrRefuse(join(root, path)) }]);
  return files.flat().sort((a, b) => (a.path < b.path ? -1 : 1));
}

const isFolder = (root: string, path: string): Promise<boolean> => stat(join(root, path)).then((found) => found.isDirectory(), () => false);

async function hashOrRefuse(path: string): Promise<string> {
  try {
    return (await fileHashes.hash(path)).sha256;
  } catch (cause) {
    throw fault('usage.wrong', { what: `${path} cannot be read: ${(cause as Error).message}` });
  }
}

/** The files of a manifest as they are now, then the code that stands beside them and is not in it. */
export async function senseTree(root: string, manifest: AgentManifest, hashes: FileHashes): Promise<FoundFile[]> {
  const named = manifestFiles(manifest);
  const names = new Set(named.map((file) => file.path));
  const extra = (await list(root).catch(() => [])).filter(({ path }) => CODE.test(path) && !names.has(path));
  const foreign = await mapSome(extra, async ({ path, link }) => (link && await staysInside(root, path) ? [] : [await extraFile(root, path, hashes)]));
  return [...await mapSome(named, (file) => namedFile(root, file.path, hashes)), ...foreign.flat()];
}

async function namedFile(root: string, path: string, hashes: FileHashes): Promise<FoundFile> {
  try {
    return { path, state: 'read', sha256: (await hashes.hash(join(root, path))).sha256 };
  } catch (error) {
    return { path, state: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable', sha256: null };
  }
}

async function extraFile(root: string, path: string, hashes: FileHashes): Promise<FoundFile> {
  const found = await namedFile(root, path, hashes);
  return { path, state: 'extra', sha256: found.sha256 };
}
