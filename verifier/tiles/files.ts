/** Files of a log on disk. Each appears whole or not at all; a reader may be anything that serves or copies files. */
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export class LogFiles {
  readonly dir: string;
  private written = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** The bytes of a file, null when there is none. `path` is one of ours, never a caller's. */
  async read(path: string): Promise<Buffer | null> {
    try {
      return await readFile(join(this.dir, path));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** `lasting`: on the disk when this returns. Another file is made again when a power cut took it. */
  async write(path: string, bytes: string | Uint8Array, { lasting = false } = {}): Promise<void> {
    const place = join(this.dir, path);
    const temporary = `${place}.${process.pid}-${this.written++}.tmp`;
    const file = await create(temporary);
    try {
      await file.writeFile(bytes);
      if (lasting) await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, place);
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.dir, path), { recursive: true, force: true });
  }
}

/** An empty file, and the folders above it when they are not there. */
async function create(place: string): Promise<FileHandle> {
  try {
    return await open(place, 'w', 0o644);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(dirname(place), { recursive: true });
    return open(place, 'w', 0o644);
  }
}

const isMissing = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
