/**
 * State files: what must survive `kill -9` and the loss of power. A file is replaced as a whole or not at all, and belongs to the daemon alone (0600).
 * One writer per path: the daemon holds its state directory, and each file has one owner in it.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault, fault } from '../src/base/fault.js';
import { type Shape, parse, stringify } from '../src/base/shape.js';

const hasCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;
const unreadable = (file: string, what: string): Fault => fault('config.unreadable', { file, what });

/** Makes a rename or a removal in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Replaces a file: write aside, fsync, rename, fsync the directory. After it returns, the new content survives; before, the old one does. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const aside = `${path}.new`;
  await rm(aside, { force: true });
  const file = await open(aside, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  await syncDirectory(dirname(path));
}

/** The content of a file of secrets, null when there is none. @throws Fault config.unreadable, also when others than its owner may open it */
export async function readPrivate(path: string): Promise<Buffer | null> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode } = await file.stat();
      if ((mode & 0o077) !== 0) throw unreadable(path, `others may open it (mode ${(mode & 0o777).toString(8)}, wanted 600)`);
      return await readFile(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    if (hasCode(error, 'ENOENT')) return null;
    throw unreadable(path, (error as Error).message);
  }
}

/** The value in a state file, null when there is none. @throws Fault config.unreadable when it is damaged: its content is never guessed */
export async function readState<T>(path: string, shape: Shape<T>): Promise<T | null> {
  const bytes = await readPrivate(path);
  if (bytes === null) return null;
  try {
    return parse(shape, bytes, path);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
}

export const writeState = <T>(path: string, shape: Shape<T>, value: T): Promise<void> => replaceFile(path, `${stringify(shape, value)}\n`);

/** Removes a state file, if there is one: durable when it resolves. It takes no room on the disk. */
export async function removeState(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}
