/**
 * The audit of a whole log, with its public key alone: each leaf against its hash, its form and its chain, each tile against the leaves, the tree against
 * the signed checkpoint and against earlier ones. Whoever holds the copy may be hostile, the log itself among them; what is wrong first is named.
 */
import { equal } from '../base/bytes.js';
import { Fault, type Finding, fault, finding } from '../base/fault.js';
import type { LeafKind } from '../names.js';
import { type DepositLeaf, leafHash } from '../objects/leaf.js';
import { readLeaf } from './chain.js';
import type { Checkpoint } from './checkpoint.js';
import { Edge, type TileFile } from './edge.js';
import { decodeEntries, decodeHashes, edgeTiles, type Tile, TILE_WIDTH, tileAt, tilePath } from './tiles.js';
import { append, EMPTY_TREE, leafNode, rootOf } from './tree.js';

/** The bytes of a tile as the copy has it. It throws a Fault when it has none. */
export type ReadTile = (tile: Tile) => Promise<Buffer>;

/** What is wrong first. `index`: the leaf; null when it is the tree as a whole, all leaves from `after` on being in doubt. */
export interface Wrong { readonly index: number | null; readonly after: number; readonly finding: Finding }

export interface AuditReport {
  readonly wrong: Wrong | null;
  /** Leaves that are right, by kind, up to the first wrong one. */
  readonly kinds: Readonly<Partial<Record<LeafKind, number>>>;
  readonly leaves: number;
  readonly chains: number;
  /** The chain that was asked for, leaf by leaf. */
  readonly chain: readonly { readonly index: number; readonly leaf: DepositLeaf }[];
}

/** `earlier`: checkpoints of the same log that were seen before, their signatures verified. `chain`: one to be listed. `progress`: told how many leaves were read. */
export interface AuditOptions { readonly earlier?: readonly Checkpoint[]; readonly chain?: string | undefined; readonly progress?: (leaves: number) => void }

/** Stops the audit at what is wrong. */
class Found extends Error {
  readonly wrong: Wrong;
  constructor(index: number | null, after: number, found: Finding) {
    super(found.message);
    this.wrong = { index, after, finding: found };
  }
}

/** @param checkpoint its signature is verified */
export async function auditLog(checkpoint: Checkpoint, read: ReadTile, options: AuditOptions = {}): Promise<AuditReport> {
  const audit = new Audit(checkpoint, read, options);
  try {
    await audit.run();
    return { ...audit.report, wrong: null };
  } catch (error) {
    if (error instanceof Found) return { ...audit.report, wrong: error.wrong };
    throw error;
  }
}

class Audit {
  readonly report = { kinds: {} as Partial<Record<LeafKind, number>>, leaves: 0, chains: 0, chain: [] as { index: number; leaf: DepositLeaf }[] };
  private readonly edge = new Edge();
  private tree = EMPTY_TREE;
  /** The last size at which the tree was one that the log had signed. */
  private proven = 0;
  private readonly tails = new Map<string, { seq: number; hash: string }>();
  private readonly checkpoint: Checkpoint;
  private readonly read: ReadTile;
  private readonly options: AuditOptions;

  constructor(checkpoint: Checkpoint, read: ReadTile, options: AuditOptions) {
    this.checkpoint = checkpoint;
    this.read = read;
    this.options = options;
  }

  async run(): Promise<void> {
    const { size, root } = this.checkpoint;
    const earlier = this.options.earlier ?? [];
    const longer = earlier.find((seen) => seen.size > size);
    if (longer) throw new Found(null, size, finding('deposit.truncated', { size, before: longer.size }));
    for (let index = 0; index * TILE_WIDTH < size; index++) await this.bundle(index);
    if (!equal(rootOf(this.tree), root)) throw new Found(null, this.proven, finding('deposit.root'));
    for (const tile of edgeTiles(size)) if (tile.level > 0) await this.upper({ tile, bytes: this.edge.hashes(tile.level) });
  }

  private async bundle(index: number): Promise<void> {
    const { size } = this.checkpoint;
    const from = index * TILE_WIDTH;
    const width = tileAt('entries', index, size)!.width;
    const entries = await this.tile(from, { level: 'entries', index, width }, (bytes) => decodeEntries(bytes, width));
    const hashes = await this.tile(from, { level: 0, index, width }, (bytes) => decodeHashes(bytes, width));
    const texts = entries.map((bytes, i) => this.leaf(from + i, bytes, hashes[i]!));
    this.assertEarlier(from, hashes);
    this.tree = append(this.tree, hashes);
    for (const file of this.edge.append(texts)) if (typeof file.tile.level === 'number' && file.tile.level > 0 && file.tile.width === TILE_WIDTH) await this.upper(file);
    this.options.progress?.(this.report.leaves);
  }

  private async tile<T>(from: number, tile: Tile, decode: (bytes: Buffer) => T): Promise<T> {
    try {
      return decode(await this.read(tile));
    } catch (error) {
      if (error instanceof Fault && error.code.startsWith('deposit.')) throw new Found(from, from, { code: error.code, message: error.message });
      throw error;
    }
  }

  /** A leaf in its place: of this hash, in the one form that a leaf has, and the next of its chain. */
  private leaf(index: number, bytes: Buffer, hash: Buffer): string {
    const text = bytes.toString();
    if (!equal(leafNode(bytes), hash)) throw new Found(index, index, finding('deposit.leaf', { index }));
    try {
      if (!Buffer.from(text).equals(bytes)) throw fault('deposit.malformed', { what: 'it is not UTF-8' });
      this.count(index, readLeaf(text), text);
    } catch (error) {
      if (error instanceof Fault) throw new Found(index, index, { code: error.code, message: `leaf ${index}: ${error.message}` });
      throw error;
    }
    return text;
  }

  private count(index: number, leaf: DepositLeaf, text: string): void {
    const tail = this.tails.get(leaf.chain);
    if (leaf.seq !== (tail?.seq ?? -1) + 1 || leaf.prev !== (tail?.hash ?? null)) throw fault('deposit.chain', { seq: (tail?.seq ?? -1) + 1 });
    this.tails.set(leaf.chain, { seq: leaf.seq, hash: leafHash(text) });
    this.report.kinds[leaf.kind] = (this.report.kinds[leaf.kind] ?? 0) + 1;
    this.report.leaves = index + 1;
    this.report.chains = this.tails.size;
    if (leaf.chain === this.options.chain) this.report.chain.push({ index, leaf });
  }

  /** An earlier checkpoint whose last leaf is among these must have the root that the tree had then. */
  private assertEarlier(from: number, hashes: Buffer[]): void {
    for (const { size, root } of this.options.earlier ?? []) {
      if (size <= from || size > from + hashes.length) continue;
      if (!equal(rootOf(append(this.tree, hashes.slice(0, size - from))), root)) throw new Found(null, this.proven, finding('deposit.fork', { size }));
      this.proven = Math.max(this.proven, size);
    }
  }

  /** A tile above the leaves' is what the leaves give. */
  private async upper({ tile, bytes }: TileFile): Promise<void> {
    const from = tile.index * TILE_WIDTH ** (Number(tile.level) + 1);
    const copy = await this.tile(from, tile, (found) => found);
    if (!copy.equals(bytes)) throw new Found(null, from, finding('deposit.tile', { path: tilePath(tile) }));
  }
}
