import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toB64u } from '../../../src/base/bytes.js';
import { writeCheckpoint } from '../../../src/deposit/checkpoint.js';
import { logSigner } from '../../../src/deposit/note.js';
import { tilePath } from '../../../src/deposit/tiles.js';
import { leafNode, rootOfLeaves } from '../../../src/deposit/tree.js';
import { verifyConsistency, verifyInclusion } from '../../../src/deposit/verify.js';
import { type Committed, Tiles } from '../../../verifier/tiles/tiles.js';
import type { StoredLeaf } from '../../../verifier/store/verbs.js';

const signer = logSigner('log.example', Buffer.alloc(32, 3));
const text = (n: number): string => `leaf ${n}`;
const hash = (n: number): Buffer => leafNode(text(n));
const rootAt = (size: number): Buffer => rootOfLeaves(Array.from({ length: size }, (_, n) => hash(n)));
const committed = (size: number): Committed => ({ size, root: toB64u(rootAt(size)), note: writeCheckpoint({ size, root: rootAt(size) }, signer) });

/** A store that committed to every size; it counts what is read. */
class Source {
  read = 0;
  async leaves(from: number, to: number): Promise<StoredLeaf[]> {
    this.read += to - from;
    return Array.from({ length: to - from }, (_, i) => ({ idx: from + i, eventId: '', chain: '', seq: 0, leafHash: toB64u(hash(from + i)), leaf: text(from + i) }));
  }
  checkpoint = async (size?: number): Promise<Committed | null> => (size === undefined ? null : committed(size));
}

let dir: string;
let source: Source;
let tiles: Tiles;
const reopened = (): Tiles => new Tiles(dir, (source = new Source()));
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ari-tiles-'));
  tiles = reopened();
});
afterEach(() => rmSync(dir, { recursive: true }));
const at = (path: string): string => join(dir, path);
const flip = (path: string): void => {
  const bytes = readFileSync(at(path));
  bytes[40]! ^= 1;
  writeFileSync(at(path), bytes);
};
const published = async (size: number): Promise<void> => {
  await tiles.grow(committed(size));
  await tiles.written();
};
const proves = async (index: number, size: number): Promise<void> => verifyInclusion(hash(index), index, size, await tiles.inclusion(index, committed(size)), rootAt(size));

describe('the tiles of a log', () => {
  it('prove each leaf at each size, wherever it lies', async () => {
    for (const size of [1, 2, 255, 256, 257, 700]) for (const index of new Set([0, size >> 1, size - 1])) await proves(index, size);
    for (const from of [1, 256, 300, 700]) verifyConsistency(from, rootAt(from), 700, rootAt(700), await tiles.consistency(from, committed(700)));
    await proves(3, 300);
    await expect(tiles.inclusion(700, committed(700))).rejects.toMatchObject({ code: 'deposit.malformed' });
    await expect(tiles.consistency(0, committed(700))).rejects.toMatchObject({ code: 'deposit.malformed' });
  });

  it('are files: the checkpoint last, partial tiles until the full one is there', async () => {
    for (const size of [3, 200, 255]) await published(size);
    expect(readdirSync(at('tile/0/000.p')).sort()).toEqual(['200', '255', '3']);
    await published(258);
    expect([existsSync(at('tile/0/000.p')), existsSync(at('tile/0/000')), readdirSync(at('tile/0')).sort()]).toEqual([false, true, ['000', '001.p']]);
    expect(readFileSync(at('checkpoint'), 'utf8')).toBe(committed(258).note);
  });

  it('go on where an earlier process left them, and read no leaf twice', async () => {
    await published(1000);
    tiles = reopened();
    await tiles.grow(committed(1001));
    expect(source.read).toBeLessThan(256 + 1);
    for (const index of [0, 999, 1000]) await proves(index, 1001);
  });

  it('read the store no more than the log grows', async () => {
    for (let size = 1; size <= 300; size++) await tiles.grow(committed(size));
    expect(source.read).toBe(300);
  });

  it.each([
    ['no checkpoint', () => rmSync(at('checkpoint'))],
    ['a checkpoint that is none', () => writeFileSync(at('checkpoint'), 'half a note')],
    ['a checkpoint of another log', () => writeFileSync(at('checkpoint'), writeCheckpoint({ size: 600, root: rootAt(599) }, signer))],
    ['a partial tile missing', () => rmSync(at('tile/1/000.p/2'))],
    ['a partial tile cut short', () => writeFileSync(at('tile/0/002.p/88'), 'short')],
    ['a partial tile that was changed', () => flip('tile/0/002.p/88')],
  ])('are made again from the store when a crash left %s', async (_, damage) => {
    await published(600);
    damage();
    tiles = reopened();
    await tiles.grow(committed(601));
    expect(source.read).toBeGreaterThan(600);
    for (const index of [0, 599, 600]) await proves(index, 601);
  });

  it.each([
    ['gone', () => rmSync(at('tile/0/000'))],
    ['cut short', () => writeFileSync(at('tile/0/000'), 'short')],
    ['changed', () => flip('tile/0/000')],
  ])('never give a wrong proof: a full tile that is %s is made again', async (_, damage) => {
    await published(600);
    damage();
    tiles = reopened();
    await proves(0, 600);
    damage();
    tiles = reopened();
    verifyConsistency(100, rootAt(100), 600, rootAt(600), await tiles.consistency(100, committed(600)));
  });

  it('refuse a checkpoint that is not of these leaves, and write none', async () => {
    await expect(tiles.grow({ ...committed(5), root: toB64u(rootAt(4)) })).rejects.toMatchObject({ code: 'deposit.root' });
    expect(existsSync(at('checkpoint'))).toBe(false);
  });

  it('lose nothing when they cannot be written: no further leaf is taken in before they are', async () => {
    await published(10);
    rmSync(at('tile/0/000.p'), { recursive: true });
    writeFileSync(at('tile/0/000.p'), 'no folder');
    await proves(10, 11);
    await expect(tiles.written()).rejects.toThrow();
    await expect(tiles.grow(committed(12))).rejects.toThrow();
    await expect(tiles.inclusion(0, committed(13))).rejects.toThrow();
    expect(readFileSync(at('checkpoint'), 'utf8'), 'no checkpoint without its tiles').toBe(committed(10).note);
    rmSync(at('tile/0/000.p'));
    for (const index of [0, 9, 13]) await proves(index, 14);
    await tiles.written();
    expect(readFileSync(at('tile/0/000.p/14')).length).toBe(14 * 32);
  });

  it('keep no payment waiting for a file: a proof is there before them', async () => {
    await published(10);
    await proves(11, 12);
    expect(existsSync(at('tile/0/000.p/12'))).toBe(false);
    await tiles.written();
    expect(existsSync(at('tile/0/000.p/12'))).toBe(true);
  });

  it('are written as they stand, not once for each step that they were too slow for', async () => {
    for (let size = 1; size <= 100; size++) await tiles.grow(committed(size));
    await tiles.written();
    expect(readdirSync(at('tile/0/000.p')).length).toBeLessThan(100);
    expect(await tiles.read({ level: 0, index: 0, width: 57 }), 'and read at each width all the same').toEqual(readFileSync(at('tile/0/000.p/100')).subarray(0, 57 * 32));
  });

  it('are read at each width that was ever published, also after the full tile took their place', async () => {
    for (const size of [3, 300]) await published(size);
    const full = readFileSync(at('tile/0/000'));
    expect(await tiles.read({ level: 0, index: 0, width: 256 })).toEqual(full);
    expect(await tiles.read({ level: 0, index: 0, width: 3 })).toEqual(full.subarray(0, 96));
    expect((await tiles.read({ level: 'entries', index: 0, width: 2 }))?.toString('latin1')).toBe('\0\x06leaf 0\0\x06leaf 1');
    for (const tile of [{ level: 0, index: 1, width: 45 }, { level: 0, index: 2, width: 1 }, { level: 2, index: 0, width: 1 }]) expect(await tiles.read(tile), tilePath(tile)).toBeNull();
  });
});
