/**
 * The code in a process's memory: every executable mapping of /proc/PID/maps, hashed through the inode that is mapped; and whether its pages are still
 * those of the file. What maps says is compared with what it said: the same text and quiet files are the same code.
 */
import { stat } from 'node:fs/promises';
import type { Mapping } from '../../src/objects/claims.js';
import type { FileHashes } from './hash.js';
import { patchedPages } from './pages.js';
import { readProc, unlessOwnLack } from './proc.js';

/** A line of /proc/PID/maps (proc_pid_maps(5)). `inode` is 0 for memory without a file. */
export interface MapLine { readonly range: string; readonly executable: boolean; readonly device: string; readonly inode: string; readonly path: string; readonly deleted: boolean }

const EXECUTABLE = /^\S+ ..x.*$/gm;
const LINE = /^([0-9a-f]+-[0-9a-f]+) (\S{4}) [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([0-9]+)\s*(.*)$/;
const NO_FILE = /^\S+ \S+ \S+ \S+ 0(?:\s|$)/;
const DELETED = ' (deleted)';
/** Code that the kernel itself puts into every process. */
const KERNEL = new Set(['[vdso]', '[vsyscall]', '[uprobes]']);
const PATH_MAX = 4096;

export function parseMaps(text: string): MapLine[] {
  return text.split('\n').filter((line) => line !== '').map((line) => {
    const [, range = '', flags = '', device = '', inode = '', name = ''] = LINE.exec(line) ?? [];
    if (range === '') throw new Error('a line of maps cannot be read');
    const deleted = inode !== '0' && name.endsWith(DELETED);
    const path = (deleted ? name.slice(0, -DELETED.length) : name).replaceAll('\\012', '\n').slice(0, PATH_MAX);
    return { range, executable: flags[2] === 'x', device, inode, path, deleted };
  });
}

/** `patched`: pages of mapped files that are no longer the file's, null where the kernel does not say. `anonymous`: executable mappings without file and name. */
export interface Code { readonly mappings: readonly Mapping[]; readonly anonymous: number; readonly patched: number | null }

interface Seen { readonly text: string; readonly changes: number; readonly ranges: readonly string[]; readonly mappings: readonly Mapping[]; readonly anonymous: number }
const SEEN_MOST = 1024;

/** What was seen of each process. */
export class CodeSense {
  private readonly hashes: FileHashes;
  private readonly seen = new Map<string, Seen>();

  constructor(hashes: FileHashes) {
    this.hashes = hashes;
  }

  /** The executable mappings of a process, each file once; an executable stack or heap stands among them without a hash. `key` names the process for good. */
  async look(proc: string, key: string): Promise<Code> {
    const lines = readProc(`${proc}/maps`, 'utf8').match(EXECUTABLE) ?? [];
    const named = lines.filter((line) => !NO_FILE.test(line) || line.includes('['));
    const text = named.join('\n');
    const changes = this.hashes.changes;
    const before = this.seen.get(key);
    const now = before?.text === text && before.changes === changes ? before : await this.read(proc, text, changes);
    this.remember(key, now);
    return { mappings: now.mappings, anonymous: now.anonymous + lines.length - named.length, patched: patchedPages(proc, now.ranges) };
  }

  private remember(key: string, seen: Seen): void {
    if (this.seen.size >= SEEN_MOST) this.seen.clear();
    this.seen.set(key, seen);
  }

  /** `changes` NaN is like no other: what holds a file that is not quiet is read again each time. */
  private async read(proc: string, text: string, changes: number): Promise<Seen> {
    const lines = parseMaps(text).filter((line) => !KERNEL.has(line.path));
    const backed = lines.filter((line) => line.inode !== '0');
    const files = new Map(backed.map((line) => [`${line.device}:${line.inode}:${line.path}`, line]));
    const named = new Set(lines.filter((line) => line.inode === '0' && /^\[(?!anon)/.test(line.path)).map((line) => line.path));
    const mappings: Mapping[] = [...named].map((path) => ({ path, sha256: null, deleted: false }));
    let quiet = true;
    for (const line of files.values()) {
      const found = await hashMapped(proc, line, this.hashes);
      quiet &&= found?.quiet ?? false;
      mappings.push({ path: line.path, sha256: found?.sha256 ?? null, deleted: line.deleted });
    }
    const anonymous = lines.filter((line) => line.inode === '0' && !named.has(line.path)).length;
    return { text, changes: quiet ? changes : Number.NaN, ranges: backed.map(({ range }) => range), mappings, anonymous };
  }
}

const noFile = (error: unknown): null => unlessOwnLack(error, null);

/**
 * Through map_files the very inode is opened; where that is not allowed, a path, if it still leads to that inode. Null: its content is not known.
 * Paths are told as seen from this process where they can be (chroot), else as in the other file system (containers).
 */
async function hashMapped(proc: string, line: MapLine, hashes: FileHashes): Promise<{ sha256: string; quiet: boolean } | null> {
  const direct = await hashes.hash(`${proc}/map_files/${line.range.replace(/\b0+(?=.)/g, '')}`).catch(noFile);
  if (direct !== null) return direct;
  for (const path of [`${proc}/root${line.path}`, line.path]) {
    const found = await stat(path, { bigint: true }).catch(noFile);
    if (found?.ino.toString() !== line.inode || deviceOf(found.dev) !== line.device) continue;
    const hashed = await hashes.hash(path).catch(noFile);
    if (hashed?.ino === line.inode) return hashed;
  }
  return null;
}

/** A device number as maps writes it: major:minor, at least two hex digits each (makedev(3)). */
function deviceOf(dev: bigint): string {
  const major = ((dev >> 32n) & 0xfffff000n) | ((dev >> 8n) & 0xfffn);
  const minor = ((dev >> 12n) & 0xffffff00n) | (dev & 0xffn);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}
