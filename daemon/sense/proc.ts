/** Files of /proc: made up when they are read, without a size, and read whole at once (proc(5)). Reading them never waits. */
import { closeSync, openSync, readSync } from 'node:fs';

/** What is longer is read in further pieces, and no file of /proc is longer than this times 64. */
let buffer = Buffer.allocUnsafeSlow(1 << 18);
const MOST = 1 << 24;

/** @throws ErrnoException; an Error for a file that has no end */
export function readProc(path: string, encoding: BufferEncoding = 'latin1'): string {
  const fd = openSync(path, 'r');
  try {
    let length = 0;
    for (let bytes = readSync(fd, buffer, 0, buffer.length, null); bytes > 0; bytes = readSync(fd, buffer, length, buffer.length - length, null)) {
      length += bytes;
      if (length === buffer.length) grow();
    }
    return buffer.toString(encoding, 0, length);
  } finally {
    closeSync(fd);
  }
}

/** Whether it is this process that lacks something, and not what it looked at: then nothing was seen, and nothing is claimed. */
export const isOwnLack = (error: unknown): boolean => ['EMFILE', 'ENFILE', 'ENOMEM'].includes((error as NodeJS.ErrnoException).code ?? '');

/** What was looked at is not there, or not for us: `instead`. @throws what {@link isOwnLack} */
export function unlessOwnLack<T>(error: unknown, instead: T): T {
  if (isOwnLack(error)) throw error;
  return instead;
}

function grow(): void {
  if (buffer.length >= MOST) throw new Error('the file is too long');
  buffer = Buffer.concat([buffer], buffer.length * 2);
}
