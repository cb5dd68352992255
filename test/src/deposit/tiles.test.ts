import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Edge, type TileFile } from '../../../src/deposit/edge.js';
import { consistencyProof, inclusionProof, nodesOf, rootAt } from '../../../src/deposit/paths.js';
import { decodeEntries, decodeHashes, edgeTiles, encodeEntries, nodesOfTiles, parseTilePath, tileAt, tilePath, tilesRead } from '../../../src/deposit/tiles.js';
import { EMPTY_ROOT, leafNode, rootOfLeaves } from '../../../src/deposit/tree.js';
import { codeOf } from '../../support/fault.js';

const text = (n: number): string => `leaf ${n}`;
const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => text(from + i));

describe('the path of a tile', () => {
  it.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 5, width: 3 }, 'tile/0/005.p/3'],
    [{ level: 1, index: 1_234_067, width: 256 }, 'tile/1/x001/x234/067'],
    [{ level: 'entries', index: 1000, width: 255 }, 'tile/entries/x001/000.p/255'],
  ] as const)('%j is %s', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  it.each([
    'tile/0/0', 'tile/0/0000', 'tile/00/000', 'tile/0/x000/001', 'tile/0/001/000', 'tile/0/000.p/0', 'tile/0/000.p/256', 'tile/0/000.p/01', 'tile/0/000.p/', 'tile/7/000', 'tile/-1/000',
    'tile/entry/000', 'tile/0/../checkpoint', 'tile/0/000/', '/tile/0/000', 'tile/0/x1/000', 'checkpoint', '', 'tile/0/x999/x999/x999/x999/x999/999', 'tile/0/000\n',
  ])('%j is none', (path) => { expect(parseTilePath(path)).toBeNull(); });
});

describe('a tile', () => {
  it('is as wide as the log makes it: the example of the specification', () => {
    expect(edgeTiles(70_000)).toEqual([{ level: 0, index: 273, width: 112 }, { level: 1, index: 1, width: 17 }, { level: 2, index: 0, width: 1 }]);
    expect(edgeTiles(256)).toEqual([{ level: 1, index: 0, width: 1 }]);
    expect([tileAt(0, 272, 70_000)?.width, tileAt(0, 274, 70_000), tileAt('entries', 273, 70_000)?.width]).toEqual([256, null, 112]);
  });

  it('holds exactly its hashes', () => {
    const bytes = Buffer.alloc(64, 1);
    expect(decodeHashes(bytes, 2)).toHaveLength(2);
    for (const width of [1, 3]) expect(codeOf(() => decodeHashes(bytes, width))).toBe('deposit.malformed');
  });

  it('holds exactly its leaves, whatever they hold', () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }), (leaves) => {
      expect(decodeEntries(encodeEntries(leaves), leaves.length).map(String)).toEqual(leaves.map((leaf) => Buffer.from(leaf).toString()));
    }));
    const bundle = encodeEntries(['one', 'two']);
    for (const [bytes, width] of [[bundle, 1], [bundle, 3], [bundle.subarray(0, -1), 2], [Buffer.concat([bundle, Buffer.alloc(1)]), 2], [Buffer.concat([bundle, Buffer.alloc(2)]), 2]] as const) {
      expect(codeOf(() => decodeEntries(bytes, width))).toBe('deposit.malformed');
    }
    expect(codeOf(() => encodeEntries(['x'.repeat(65_536)]))).toBe('deposit.malformed');
  });
});

describe('the edge of a log', () => {
  /** All files after leaves came in steps of these sizes. */
  const build = (steps: readonly number[]): { edge: Edge; files: Map<string, Buffer> } => {
    const edge = new Edge();
    const files = new Map<string, Buffer>();
    const keep = ({ tile, bytes }: TileFile): void => { files.set(tilePath(tile), bytes); };
    for (const step of steps) edge.append(texts(edge.size, edge.size + step)).forEach(keep);
    return { edge, files };
  };
  const read = (files: Map<string, Buffer>, size: number) => nodesOfTiles((level, index) => {
    const tile = tileAt(level, index, size)!;
    const hashes = decodeHashes(files.get(tilePath(tile))!, tile.width);
    return nodesOf((i) => hashes[i]!);
  });

  it('has the root of the tree, however its leaves came', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 6 }), (steps) => {
      const { edge } = build(steps);
      expect(Buffer.from(edge.root())).toEqual(edge.size === 0 ? EMPTY_ROOT : rootOfLeaves(texts(0, edge.size).map(leafNode)));
    }), { numRuns: 25 });
  });

  it('leaves tiles from which the paths of RFC 6962 follow', () => {
    const { files, edge } = build([1, 254, 1, 1, 300, 256]);
    const leaves = texts(0, edge.size).map(leafNode);
    const [tiles, tree] = [read(files, edge.size), nodesOf((i) => leaves[i]!)];
    expect(rootAt(edge.size, tiles)).toEqual(rootAt(edge.size, tree));
    for (const index of [0, 255, 256, 511, 512, edge.size - 1]) expect(inclusionProof(index, edge.size, tiles)).toEqual(inclusionProof(index, edge.size, tree));
    for (const from of [1, 255, 256, 257, 600, edge.size]) expect(consistencyProof(from, edge.size, tiles)).toEqual(consistencyProof(from, edge.size, tree));
  });

  it('writes a partial tile for each size that it stood at, and every full one', () => {
    const { files } = build([3, 253, 2]);
    expect([...files.keys()].sort()).toEqual(['tile/0/000', 'tile/0/000.p/3', 'tile/0/001.p/2', 'tile/1/000.p/1', 'tile/entries/000', 'tile/entries/000.p/3', 'tile/entries/001.p/2']);
    expect(decodeEntries(files.get('tile/entries/000')!, 256).map(String)).toEqual(texts(0, 256));
  });

  it('goes on from its files as if it had never stopped', () => {
    for (const size of [0, 1, 255, 256, 257, 600]) {
      const { files } = build([size]);
      const resumed = new Edge(size, { hashes: (tile) => decodeHashes(files.get(tilePath(tile))!, tile.width), leaves: texts(size - (size % 256), size) });
      const more = texts(size, size + 300);
      expect(resumed.append(more)).toEqual(build([size]).edge.append(more));
    }
  });

  it('tells beforehand which tiles a proof reads: no more than one or two of each level', () => {
    const tiles = tilesRead(1_000_000, (node) => inclusionProof(123_456, 1_000_000, node));
    expect(tiles.map(tilePath).sort()).toEqual(['tile/0/482', 'tile/0/x003/906.p/64', 'tile/1/001', 'tile/1/015.p/66', 'tile/2/000.p/15']);
    expect(codeOf(() => tilesRead(5, (node) => node(0, 300)))).toBe('deposit.malformed');
  });
});
