/** A disk that has no more room, as this process sees it: the kernel takes the first bytes of a write and refuses the rest, as on a full disk. */
import { execFileSync } from 'node:child_process';

const limit = (bytes: string): void => void execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`]);

/** No file of this process can grow beyond `bytes` while the work goes on. */
export async function whileFull<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  limit(String(bytes));
  try {
    return await work();
  } finally {
    limit('unlimited');
  }
}
