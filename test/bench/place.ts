/** A folder for one benchmark, and the disk below it as the measure of all that is durable. */
import { fdatasyncSync, openSync, closeSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function inFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** Gives a function that writes a line of 400 bytes and waits until it is on the disk. */
export async function withDisk<T>(dir: string, work: (sync: () => void) => Promise<T>): Promise<T> {
  const file = openSync(join(dir, 'disk'), 'a');
  const line = Buffer.alloc(400, 'x');
  try {
    return await work(() => { writeSync(file, line); fdatasyncSync(file); });
  } finally {
    closeSync(file);
  }
}
