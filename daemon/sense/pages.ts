/**
 * Code that was changed in memory only: by ptrace, through /proc/PID/mem or with process_vm_writev, as a debugger sets a breakpoint or an injector a
 * hook. The kernel then gives the process a page of its own in place of the file's: maps stays the same, /proc/PID/pagemap tells (bit 61 is gone).
 * What is written into data (heap, stack, generated code) cannot be told from the program's own work.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { unlessOwnLack } from './proc.js';

const PAGE = 4096, ENTRY = 8;
/** Of the upper half of an entry: bit 63 present, 62 swapped, 61 page of a file. */
const PRESENT = 0x8000_0000, SWAPPED = 0x4000_0000, OF_FILE = 0x2000_0000;
const buffer = Buffer.allocUnsafeSlow(1 << 19);
const halves = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);

/** How many pages of these ranges (`from-to` in hex, as in maps) are not the file's; null where pagemap may not be read. */
export function patchedPages(proc: string, ranges: readonly string[]): number | null {
  let fd: number;
  try {
    fd = openSync(`${proc}/pagemap`, 'r');
  } catch (error) {
    return unlessOwnLack(error, null);
  }
  try {
    let patched = 0;
    for (const range of ranges) patched += patchedIn(fd, range);
    return patched;
  } finally {
    closeSync(fd);
  }
}

function patchedIn(fd: number, range: string): number {
  const [from = 0, to = 0] = range.split('-').map((address) => Number.parseInt(address, 16) / PAGE);
  let patched = 0;
  for (let page = from; page < to;) {
    const bytes = readSync(fd, buffer, 0, Math.min((to - page) * ENTRY, buffer.length), page * ENTRY);
    if (bytes < ENTRY) break;
    for (let at = 1; at < bytes / 4; at += 2) {
      const high = halves[at]!;
      if ((high & OF_FILE) === 0 && (high & (PRESENT | SWAPPED)) !== 0) patched++;
    }
    page += bytes / ENTRY;
  }
  return patched;
}
