/**
 * The log as tiles on disk: what is served, copied and audited, and from what proofs are made. The store is the truth and every file follows from it: a
 * folder that is empty, behind, or leads a proof to another root is written anew. Only the edge of the log and a bounded number of its tiles are held in
 * memory, however long it is. One process writes one folder.
 */
import { equal, fromB64u, type Sha256 } from '../../src/base/bytes.js';
import { Fault, fault } from '../../src/base/fault.js';
import { peekCheckpoint } from '../../src/deposit/checkpoint.js';
import { Edge } from '../../src/deposit/edge.js';
import { consistencyProof, inclusionProof, type NodeReader, nodesOf, rootAt } from '../../src/deposit/paths.js';
import { decodeEntries, decodeHashes, edgeTiles, encodeEntries, nodesOfTiles, type Tile, TILE_WIDTH, tileAt, tilePath, tilesRead } from '../../src/deposit/tiles.js';
import { rootFrom, verifyConsistency } from '../../src/deposit/verify.js';
import type { Store } from '../store/verbs.js';
import { LogFiles } from './files.js';
import { CHECKPOINT, TileWriter } from './writer.js';

export interface Committed { readonly size: number; readonly root: Sha256; readonly note: string }
type Source = Pick<Store, 'leaves' | 'checkpoint'>;

/** Leaves of one read of the store. */
const STEP = 1024;
/** Full tiles whose nodes are held: about 100 kB each. */
const HELD = 64;

/** A file that is not what the store says: it is made again. */
class Damaged extends Error {}

export class Tiles {
  private readonly files: LogFiles;
  private readonly writer: TileWriter;
  private readonly source: Source;
  private edge: Edge | null = null;
  private readonly held = new Map<string, NodeReader>();
  private growing: Promise<void> = Promise.resolve();

  constructor(dir: string, source: Source) {
    this.files = new LogFiles(dir);
    this.writer = new TileWriter(this.files);
    this.source = source;
  }

  /** The checkpoint that was published last, as its file says; null when there is none. */
  async checkpoint(): Promise<string | null> {
    return (await this.files.read(CHECKPOINT))?.toString('utf8') ?? null;
  }

  /** Takes in what the log has gained up to a committed checkpoint. @throws Fault deposit.root, deposit.unavailable; what the disk said to earlier files */
  grow(to: Committed): Promise<void> {
    this.growing = this.growing.catch(() => undefined).then(() => this.extend(to)).catch((error: unknown) => {
      this.edge = null; // it may be ahead of what will ever be written
      throw error;
    });
    return this.growing;
  }

  /** Resolves when the files are those of the log as it was taken in. @throws what the disk said */
  written(): Promise<void> {
    return this.growing.catch(() => undefined).then(() => this.writer.written());
  }

  /** The path from a leaf to the root of a committed checkpoint. @throws Fault deposit.malformed for a leaf that is not under it */
  inclusion(index: number, to: Committed): Promise<Uint8Array[]> {
    return this.prove(to, (node) => {
      const hashes = inclusionProof(index, to.size, node);
      const root = rootFrom(node(0, index), index, to.size, hashes);
      return root !== null && equal(root, rootOf(to)) ? hashes : null;
    });
  }

  /** That the tree of a committed checkpoint continues its first `from` leaves. @throws Fault deposit.malformed */
  consistency(from: number, to: Committed): Promise<Uint8Array[]> {
    return this.prove(to, (node) => {
      const hashes = consistencyProof(from, to.size, node);
      return continues(from, rootAt(from, node), to, hashes) ? hashes : null;
    });
  }

  /** A tile of the log as it stands, from its file or cut out of a wider one; null when the log has none there. */
  async read({ level, index, width }: Tile): Promise<Buffer | null> {
    const size = this.edge?.size ?? 0;
    const widest = tileAt(level, index, size);
    if (widest === null || widest.width < width) return null;
    const exact = await this.files.read(tilePath({ level, index, width }));
    if (exact !== null || width === widest.width) return exact;
    const wider = await this.files.read(tilePath(widest));
    if (wider === null) return null;
    return level === 'entries' ? encodeEntries(decodeEntries(wider, widest.width).slice(0, width).map(String)) : wider.subarray(0, 32 * width);
  }

  /** `run` gives null when the nodes do not lead to the checkpoint: then the files are wrong, and are made again once. */
  private async prove<T>(to: Committed, run: (node: NodeReader) => T | null): Promise<T> {
    const proven = (await this.attempt(to, run)) ?? (await this.rebuild(to), await this.attempt(to, run));
    if (proven === null) throw fault('deposit.root');
    return proven;
  }

  private async attempt<T>(to: Committed, run: (node: NodeReader) => T | null): Promise<T | null> {
    await this.grow(to);
    try {
      const tiles = new Map<string, NodeReader>();
      for (const { level, index } of tilesRead(to.size, run)) tiles.set(`${level}/${index}`, await this.nodes(level as number, index));
      return run(nodesOfTiles((level, index) => tiles.get(`${level}/${index}`)!));
    } catch (error) {
      if (error instanceof Damaged) return null;
      throw error;
    }
  }

  /** The nodes of a tile: at the edge from memory, a full one from its file. */
  private async nodes(level: number, index: number): Promise<NodeReader> {
    const name = `${level}/${index}`;
    const known = this.edge?.nodes(level, index) ?? this.held.get(name) ?? (await this.load(level, index));
    this.held.delete(name);
    this.held.set(name, known);
    if (this.held.size > HELD) this.held.delete(this.held.keys().next().value!);
    return known;
  }

  private async load(level: number, index: number): Promise<NodeReader> {
    const tile = { level, index, width: TILE_WIDTH };
    const hashes = await this.hashes(tile).catch(() => this.writer.written().then(() => this.hashes(tile)));
    return nodesOf((i) => hashes[i]!);
  }

  private async hashes(tile: Tile): Promise<Buffer[]> {
    const bytes = await this.files.read(tilePath(tile));
    if (bytes?.length !== 32 * tile.width) throw new Damaged();
    return decodeHashes(bytes, tile.width);
  }

  private async extend(to: Committed): Promise<void> {
    const edge = (this.edge ??= await this.resume());
    if (edge.size >= to.size) return;
    while (edge.size < to.size) {
      const leaves = await this.source.leaves(edge.size, Math.min(to.size, edge.size + STEP));
      if (leaves.length === 0) throw fault('deposit.unavailable');
      const tiles = edge.append(leaves.map(({ leaf }) => leaf));
      const isLast = edge.size === to.size;
      if (isLast && !equal(edge.root(), rootOf(to))) throw fault('deposit.root');
      await this.writer.put(tiles, isLast ? to.note : null);
      if (!isLast) await this.writer.written();
    }
  }

  /** The edge as an earlier process left it, when it is the one that the store committed to; else that of the empty log. */
  private async resume(): Promise<Edge> {
    try {
      const note = await this.files.read(CHECKPOINT);
      const { size, root } = peekCheckpoint(note?.toString() ?? '');
      const known = await this.source.checkpoint(size);
      const edge = await this.edgeOf(size);
      if (known && equal(edge.root(), root) && equal(rootOf(known), root)) return edge;
    } catch (error) {
      if (!(error instanceof Fault || error instanceof Damaged)) throw error;
    }
    return new Edge();
  }

  private async edgeOf(size: number): Promise<Edge> {
    const rows = new Map<string, Buffer[]>();
    for (const tile of edgeTiles(size)) rows.set(tilePath(tile), await this.hashes(tile));
    const leaves = await this.source.leaves(size - (size % TILE_WIDTH), size);
    return new Edge(size, { hashes: (tile) => rows.get(tilePath(tile)) ?? [], leaves: leaves.map(({ leaf }) => leaf) });
  }

  private async rebuild(to: Committed): Promise<void> {
    this.growing = this.growing.catch(() => undefined).then(() => {
      this.edge = new Edge();
      this.held.clear();
    });
    await this.grow(to);
    await this.written();
  }
}

function continues(from: number, root: Uint8Array, to: Committed, hashes: readonly Uint8Array[]): boolean {
  try {
    verifyConsistency(from, root, to.size, rootOf(to), hashes);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

function rootOf({ root }: Pick<Committed, 'root'>): Buffer {
  return fromB64u(root) ?? Buffer.alloc(0);
}
