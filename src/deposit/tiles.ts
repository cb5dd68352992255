/**
 * Tiles (c2sp.org/tlog-tiles): the log as static files. A hash tile holds up to 256 consecutive roots of perfect subtrees: at level 0 those of one leaf, at
 * level l those of 256^l leaves. An entry bundle holds the leaves themselves. A full tile never changes; the last of a level is partial and is named by
 * its width, so that it never changes either.
 */
import { fault } from '../base/fault.js';
import type { NodeReader } from './paths.js';

export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;
/** Levels of a log of 2^53 leaves. */
const LEVELS = 7;
/** A leaf's length stands in 16 bits. */
const ENTRY_MAX = 65_535;

/** `level`: of a hash tile, or `entries`. `width`: 1 to 256. */
export interface Tile { readonly level: number | 'entries'; readonly index: number; readonly width: number }

const three = (n: number): string => String(n % 1000).padStart(3, '0');

/** `tile/0/x001/234`, with `.p/5` when it is partial. */
export function tilePath({ level, index, width }: Tile): string {
  let n = three(index);
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) n = `x${three(rest)}/${n}`;
  return `tile/${level}/${n}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** The tile that a path names; null for what is no path of a tile, a second spelling of one among it. */
export function parseTilePath(path: string): Tile | null {
  const [, level = '', n = '', width] = /^tile\/([0-9]|entries)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
  const tile = { level: level === 'entries' ? level : Number(level), index: Number(n.replace(/[x/]/g, '')), width: width === undefined ? TILE_WIDTH : Number(width) } as const;
  const known = n !== '' && (tile.level === 'entries' || tile.level < LEVELS) && tile.width >= 1;
  return known && tilePath(tile) === path ? tile : null;
}

/** How many hashes a level holds in a log of `size` leaves. */
const lengthOf = (level: Tile['level'], size: number): number => (level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level));

/** The tile at a place, as wide as a log of `size` leaves makes it; null when it has none there. */
export function tileAt(level: Tile['level'], index: number, size: number): Tile | null {
  const width = Math.min(TILE_WIDTH, lengthOf(level, size) - index * TILE_WIDTH);
  return width > 0 ? { level, index, width } : null;
}

/** The partial tiles at the right edge of a log, from level 0 up, without its entries. Its root follows from them alone. */
export function edgeTiles(size: number): (Tile & { readonly level: number })[] {
  const levels = Array.from({ length: LEVELS }, (_, level) => level);
  return levels.flatMap((level) => {
    const tile = tileAt(level, Math.floor(lengthOf(level, size) / TILE_WIDTH), size);
    return tile === null ? [] : [{ ...tile, level }];
  });
}

/** @throws Fault deposit.malformed unless these are exactly the hashes of a tile of that width */
export function decodeHashes(bytes: Buffer, width: number): Buffer[] {
  if (bytes.length !== 32 * width) throw fault('deposit.malformed', { what: `a tile of ${width} hashes does not have ${bytes.length} bytes` });
  return Array.from({ length: width }, (_, i) => bytes.subarray(32 * i, 32 * i + 32));
}

/** Leaves, each after its length in two bytes. */
export function encodeEntries(leaves: readonly string[]): Buffer {
  return Buffer.concat(leaves.flatMap((leaf) => {
    const bytes = Buffer.from(leaf);
    if (bytes.length > ENTRY_MAX) throw fault('deposit.malformed', { what: `a leaf of ${bytes.length} bytes does not fit an entry bundle` });
    return [Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes];
  }));
}

/** @throws Fault deposit.malformed unless these are exactly so many leaves */
export function decodeEntries(bundle: Buffer, width: number): Buffer[] {
  const entries: Buffer[] = [];
  let at = 0;
  for (; entries.length < width && at + 2 <= bundle.length; at += 2 + bundle.readUInt16BE(at)) entries.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
  if (entries.length !== width || at !== bundle.length) throw fault('deposit.malformed', { what: `a bundle of ${width} leaves does not end where its last leaf does` });
  return entries;
}

/** The nodes within one hash tile, its hashes being level 0. */
export type TileReader = (level: number, index: number) => NodeReader;

/** A reader of the log's nodes over one of its tiles. */
export const nodesOfTiles = (tile: TileReader): NodeReader => (level, index) => {
  const rise = level % TILE_HEIGHT;
  const perTile = 2 ** (TILE_HEIGHT - rise);
  return tile((level - rise) / TILE_HEIGHT, Math.floor(index / perTile))(rise, index % perTile);
};

/** The hash tiles that a computation over nodes reads: it is run once over nothing. */
export function tilesRead(size: number, run: (node: NodeReader) => unknown): Tile[] {
  const read = new Map<string, Tile>();
  run(nodesOfTiles((level, index) => {
    const tile = tileAt(level, index, size);
    if (tile === null) throw fault('deposit.malformed', { what: `a log of ${size} has no tile ${index} of level ${level}` });
    read.set(tilePath(tile), tile);
    return () => NOTHING;
  }));
  return [...read.values()];
}
const NOTHING = Buffer.alloc(32);
