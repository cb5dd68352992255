/**
 * The IMA list of this boot on disk, as far as payments rest on it: the kernel's own ends with the boot, and a bundle, which shows an auditor the whole list,
 * is asked for later. Each start of the daemon begins a file of its own; one that no payment names any more is removed at the next.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { type Of, count, record } from '../../src/base/shape.js';
import type { ImaPlace } from './kernellogs.js';

const NAME = /^ima-[0-9a-f]{16}\.list$/;
/** The first bytes of a file of the state directory. */
export const listBefore = record({ file: z.string().regex(NAME), bytes: count });
export type ListBefore = Of<typeof listBefore>;

const CHUNK = 65_536;

/** One call at a time: the owner's business. */
export class ListCopy {
  readonly #dir: string;
  #file: string | null = null;
  #bytes = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * A copy that holds the list before a place, durably; only what it lacks is read. The beginning: another list begins, and another copy with it.
   * @throws Fault ima.gap when the list is shorter: it is another than the verifier knows; an error of the file system
   */
  async upTo(source: string, place: ImaPlace): Promise<ListBefore | null> {
    const { bytes } = place;
    if (bytes < this.#bytes) this.#forget();
    if (bytes === 0) return null;
    this.#file ??= `ima-${randomBytes(8).toString('hex')}.list`;
    if (bytes > this.#bytes) await this.#append(source, place);
    return { file: this.#file, bytes };
  }

  #forget(): void {
    this.#file = null;
    this.#bytes = 0;
  }

  async #append(source: string, place: ImaPlace): Promise<void> {
    const from = await open(source, 'r');
    try {
      const to = await open(join(this.#dir, this.#file!), 'a', 0o600);
      await this.#copy(from, to, place).finally(() => to.close());
    } catch (error) {
      this.#forget();
      throw error;
    } finally {
      await from.close();
    }
  }

  async #copy(from: FileHandle, to: FileHandle, { entries, bytes }: ImaPlace): Promise<void> {
    while (this.#bytes < bytes) {
      const want = Math.min(CHUNK, bytes - this.#bytes);
      const { bytesRead, buffer } = await from.read(Buffer.alloc(want), 0, want, this.#bytes);
      if (bytesRead === 0) throw fault('ima.gap', { from: entries, what: `it ends at byte ${this.#bytes}` });
      await to.appendFile(buffer.subarray(0, bytesRead));
      this.#bytes += bytesRead;
    }
    await to.datasync();
  }
}

/** What a copy holds; null when it is not there. */
export function readCopy(dir: string, { file, bytes }: ListBefore): Buffer | null {
  try {
    const handle = openSync(join(dir, file), 'r');
    try {
      const list = Buffer.alloc(bytes);
      return readSync(handle, list, 0, bytes, 0) === bytes ? list : null;
    } finally {
      closeSync(handle);
    }
  } catch {
    return null;
  }
}

/** Removes the copies that nothing names. */
export function removeCopies(dir: string, named: ReadonlySet<string>): void {
  for (const file of readdirSync(dir)) if (NAME.test(file) && !named.has(file)) rmSync(join(dir, file), { force: true });
}
