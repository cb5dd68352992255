/** The code in a process's memory: every executable mapping of /proc/PID/maps, hashed through the inode that is mapped. */
import { readFile, stat } from 'node:fs/promises';
import type { Mapping } from '../../src/objects/claims.js';
import type { FileHashes } from './hash.js';

/** A line of /proc/PID/maps (proc_pid_maps(5)). `inode` is 0 for memory without a file. */
export interface MapLine { readonly range: string; readonly executable: boolean; readonly device: string; readonly inode: string; readonly path: string; readonly deleted: boolean }

const LINE = /^([0-9a-f]+-[0-9a-f]+) (\S{4}) [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([0-9]+)\s*(.*)$/;
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

export interface Code { readonly mappings: Mapping[]; readonly anonymous: number }

/** The executable mappings of a process, each file once; an executable stack or heap stands among them without a hash. */
export async function senseCode(proc: string, hashes: FileHashes): Promise<Code> {
  const lines = parseMaps(await readFile(`${proc}/maps`, 'utf8')).filter((line) => line.executable && !KERNEL.has(line.path));
  const files = new Map(lines.filter((line) => line.inode !== '0').map((line) => [`${line.device}:${line.inode}:${line.path}`, line]));
  const named = new Set(lines.filter((line) => line.inode === '0' && /^\[(?!anon)/.test(line.path)).map((line) => line.path));
  const mappings: Mapping[] = [...named].map((path) => ({ path, sha256: null, deleted: false }));
  for (const line of files.values()) mappings.push({ path: line.path, sha256: await hashMapped(proc, line, hashes), deleted: line.deleted });
  return { mappings, anonymous: lines.filter((line) => line.inode === '0' && !named.has(line.path)).length };
}

/** Through map_files the very inode is opened; where that is not allowed, the path, if it still leads to that inode. Null: its content is not known. */
async function hashMapped(proc: string, line: MapLine, hashes: FileHashes): Promise<string | null> {
  const direct = await hashes.hash(`${proc}/map_files/${line.range}`).catch(() => null);
  if (direct !== null) return direct.sha256;
  const path = `${proc}/root${line.path}`;
  const found = await stat(path, { bigint: true }).catch(() => null);
  if (found === null || found.ino.toString() !== line.inode || deviceOf(found.dev) !== line.device) return null;
  const hashed = await hashes.hash(path).catch(() => null);
  return hashed?.ino === line.inode ? hashed.sha256 : null;
}

/** A device number as maps writes it: major:minor, at least two hex digits each (makedev(3)). */
function deviceOf(dev: bigint): string {
  const major = ((dev >> 32n) & 0xfffff000n) | ((dev >> 8n) & 0xfffn);
  const minor = ((dev >> 12n) & 0xffffff00n) | (dev & 0xffn);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}
