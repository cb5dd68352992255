/** A copy of a log to be audited: a folder of files, or the log itself over HTTP. Both have the paths of c2sp.org/tlog-tiles. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fault } from '../src/base/fault.js';
import type { ReadTile } from '../src/deposit/audit.js';
import { decodeEntries, encodeEntries, type Tile, TILE_WIDTH, tilePath } from '../src/deposit/tiles.js';
import { download } from './http.js';

/** A full entry bundle at its largest. */
const FILE_MAX = TILE_WIDTH * (65_535 + 2);

export interface LogCopy { readonly checkpoint: () => Promise<string>; readonly tile: ReadTile }

/** @param place a folder, or the URL under which `checkpoint` lies */
export function logCopy(place: string, ca?: string): LogCopy {
  const file = /^https?:\/\//.test(place) ? (path: string) => download(`${place.replace(/\/+$/, '')}/${path}`, { ca, max: FILE_MAX }) : (path: string) => readOrNull(join(place, path));
  const whole = async (path: string, of: () => Promise<Buffer | null>): Promise<Buffer> => {
    const bytes = await of();
    if (bytes === null) throw fault('deposit.malformed', { what: `${path} is missing` });
    return bytes;
  };
  return {
    checkpoint: async () => (await whole('checkpoint', () => file('checkpoint'))).toString(),
    tile: (tile) => whole(tilePath(tile), async () => (await file(tilePath(tile))) ?? cut(tile, tile.width === TILE_WIDTH ? null : await file(tilePath({ ...tile, width: TILE_WIDTH })))),
  };
}

/** A log that has grown may keep the full tile in place of the partial one. */
function cut({ level, width }: Tile, full: Buffer | null): Buffer | null {
  if (full === null) return null;
  return level === 'entries' ? encodeEntries(decodeEntries(full, TILE_WIDTH).slice(0, width).map(String)) : full.subarray(0, 32 * width);
}

async function readOrNull(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw fault('config.unreadable', { file, what: code ?? 'error' });
  }
}
