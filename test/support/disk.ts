/** What runs out: room on a disk, descriptors. The kernel refuses this process then, as it does where all of it is used up. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { openLibc } from '../../daemon/native.js';

const limit = (bytes: string): void => void execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`]);

/** No file of this process can grow beyond `bytes` while the work goes on: the kernel takes the first bytes of a write and refuses the rest, as on a full disk. */
export async function whileFull<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  limit(String(bytes));
  try {
    return await work();
  } finally {
    limit('unlimited');
  }
}

const RLIMIT_NOFILE = 7;

/** This process can open so many descriptors at a time, and no more, while the work goes on. */
export async function withDescriptors<T>(left: number, work: () => Promise<T>): Promise<T> {
  const { libc } = openLibc();
  const get = libc.func('int getrlimit(int, _Out_ uint8_t *)'), set = libc.func('int setrlimit(int, const uint8_t *)');
  const before = Buffer.alloc(16);
  get(RLIMIT_NOFILE, before);
  const taken = Array.from({ length: 64 }, () => openSync('/dev/null', 'r')); // no number below these is free
  const fewer = Buffer.from(before);
  fewer.writeBigUInt64LE(BigInt(Math.max(...taken) + 1 + left));
  set(RLIMIT_NOFILE, fewer);
  try {
    return await work();
  } finally {
    set(RLIMIT_NOFILE, before);
    taken.forEach((fd) => closeSync(fd));
  }
}
