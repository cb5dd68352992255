/** Files below a folder, by relative path. */
import type { Dirent } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fault } from '../../src/base/fault.js';
import { unlessOwnLack } from './proc.js';

const FILES_MAX = 200_000;
const AT_ONCE = 8;
/** As the kernel (path_resolution(7)). */
const LINKS_MAX = 40;

/** Applies work to each item, a few at a time, keeping the order. */
export async function mapSome<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const out: U[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) out.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(work)));
  return out;
}

/** `pipe`: no regular file, and still something that a runtime can read code from. */
export interface Listed { readonly path: string; readonly kind: 'file' | 'link' | 'pipe' }
/** `unread`: folders that are there and cannot be looked into. */
export interface Listing { readonly files: readonly Listed[]; readonly folders: ReadonlySet<string>; readonly unread: readonly string[] }

/**
 * Everything below a root that is no folder. Links to folders are not followed. `enter` is called before a folder is read, '' for the root.
 * @throws ErrnoException when there is no root, Fault intake.too_large
 */
export async function list(root: string, enter: (folder: string) => void = () => undefined): Promise<Listing> {
  const files: Listed[] = [];
  const folders = new Set(['']);
  const unread: string[] = [];
  for (const folder of folders) {
    for (const entry of await entriesOf(root, folder, enter) ?? (unread.push(folder), [])) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.add(path);
      else files.push({ path, kind: entry.isSymbolicLink() ? 'link' : entry.isFile() ? 'file' : 'pipe' });
    }
    if (files.length > FILES_MAX) throw fault('intake.too_large', { size: files.length, max: FILES_MAX });
  }
  return { files, folders, unread };
}

/** Null for a folder that cannot be read; one that has gone meanwhile is empty. */
async function entriesOf(root: string, folder: string, enter: (folder: string) => void): Promise<Dirent[] | null> {
  try {
    enter(folder);
    return await readdir(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) {
      if (folder === '') throw error;
      return [];
    }
    return unlessOwnLack(error, null);
  }
}

export const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * Where a name below the root leads when every link on its way is followed: a path below the root again, or null when it leaves it. Links are read one
 * by one, for the root may be that of another file system than ours, in which no path of ours means anything.
 */
export async function resolveInside(root: string, path: string): Promise<string | null> {
  let done = '';
  const todo = path.split('/');
  for (let links = 0; todo.length > 0;) {
    const next = posix.normalize(posix.join(done, todo.shift()!));
    if (next === '..' || next.startsWith('../')) return null;
    const target = await readlink(join(root, next)).catch((error: unknown) => unlessOwnLack(error, null));
    if (target === null) {
      done = next === '.' ? '' : next;
      continue;
    }
    if (target.startsWith('/') || ++links > LINKS_MAX) return null;
    todo.unshift(...target.split('/'));
  }
  return done;
}
