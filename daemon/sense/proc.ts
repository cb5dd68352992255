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

function grow(): void {
  if (buffer.length >= MOST) throw new Error('the file is too long');
  buffer = Buffer.concat([buffer], buffer.length * 2);
}
