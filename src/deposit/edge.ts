/** The right edge of a tiled log: the tiles that are not full yet. Leaves go in, tiles come out; no older leaf is read. */
import { type NodeReader, nodesOf, rootAt } from './paths.js';
import { edgeTiles, encodeEntries, nodesOfTiles, type Tile, TILE_WIDTH } from './tiles.js';
import { EMPTY_ROOT, leafNode } from './tree.js';

export interface TileFile { readonly tile: Tile; readonly bytes: Buffer }

/** The hashes of one level's last tile. Its inner nodes are computed once: they stay when it grows. */
interface Row { index: number; readonly hashes: Buffer[]; readonly node: NodeReader }
function rowOf(index: number, hashes: Buffer[] = []): Row {
  return { index, hashes, node: nodesOf((i) => hashes[i]!) };
}

/** How many full tiles each level of a log has, up to its highest. */
function fullTiles(size: number): number[] {
  const full = Math.floor(size / TILE_WIDTH);
  return full === 0 ? [0] : [full, ...fullTiles(full)];
}

/** What an edge is made from again: the hashes of its partial tiles and the leaves of its last bundle. */
export interface EdgeSource { readonly hashes: (tile: Tile) => Buffer[]; readonly leaves: readonly string[] }

export class Edge {
  private readonly rows: Row[];
  private leaves: string[];
  private length: number;

  /** The edge of a log of `size` leaves. */
  constructor(size = 0, source: EdgeSource = { hashes: () => [], leaves: [] }) {
    this.length = size;
    this.leaves = [...source.leaves];
    this.rows = fullTiles(size).map((full) => rowOf(full));
    for (const tile of edgeTiles(size)) this.rows[tile.level] = rowOf(tile.index, source.hashes(tile));
  }

  get size(): number {
    return this.length;
  }

  /** The nodes of a tile at the edge; undefined for one that is full, or for none. */
  nodes(level: number, index: number): NodeReader | undefined {
    const row = this.rows[level];
    return row?.index === index ? row.node : undefined;
  }

  /** The hashes of a level's last tile, one after another. */
  hashes(level: number): Buffer {
    return Buffer.concat(this.rows[level]?.hashes ?? []);
  }

  root(): Uint8Array {
    const nodes = nodesOfTiles((level) => this.rows[level]!.node);
    return this.length === 0 ? EMPTY_ROOT : rootAt(this.length, nodes);
  }

  /** Adds leaves. @returns every tile that is new by that: full ones, then the partial ones of the new edge */
  append(leaves: readonly string[]): TileFile[] {
    const full: TileFile[] = [];
    const grown = new Set<number>();
    for (const leaf of leaves) {
      this.leaves.push(leaf);
      if (this.leaves.length === TILE_WIDTH) full.push(this.bundle());
      this.push(0, leafNode(leaf), full, grown);
      if (this.leaves.length === TILE_WIDTH) this.leaves = [];
    }
    this.length += leaves.length;
    const partial = [...grown].filter((level) => this.rows[level]!.hashes.length > 0).map((level) => this.hashTile(level));
    return [...full, ...(this.leaves.length > 0 && leaves.length > 0 ? [this.bundle()] : []), ...partial];
  }

  private push(level: number, hash: Buffer, full: TileFile[], grown: Set<number>): void {
    const row = (this.rows[level] ??= rowOf(0));
    row.hashes.push(hash);
    grown.add(level);
    if (row.hashes.length < TILE_WIDTH) return;
    full.push(this.hashTile(level));
    this.rows[level] = rowOf(row.index + 1);
    this.push(level + 1, Buffer.from(row.node(8, 0)), full, grown);
  }

  private hashTile(level: number): TileFile {
    const { index, hashes } = this.rows[level]!;
    return { tile: { level, index, width: hashes.length }, bytes: Buffer.concat(hashes) };
  }

  private bundle(): TileFile {
    return { tile: { level: 'entries', index: this.rows[0]!.index, width: this.leaves.length }, bytes: encodeEntries(this.leaves) };
  }
}
