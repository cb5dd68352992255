import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/deposit/checkpoint.js';
import { Edge } from '../../src/deposit/edge.js';
import { decodeEntries, parseTilePath, tilePath } from '../../src/deposit/tiles.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

describe.skipIf(VECTORS === null)(vectorTitle('the tiles that Tessera wrote'), () => {
  const log = join(VECTORS ?? '', 'transparency-dev+tessera/testdata/log');
  const vkey = 'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx';

  it('are written here byte for byte, leaf by leaf, each size with the root that was signed', () => {
    const leaves = decodeEntries(readFileSync(join(log, 'tile/entries/000.p/14')), 14).map(String);
    const edge = new Edge();
    for (const leaf of leaves) {
      for (const { tile, bytes } of edge.append([leaf])) expect(bytes, tilePath(tile)).toEqual(readFileSync(join(log, tilePath(tile))));
      expect(Buffer.from(edge.root())).toEqual(openCheckpoint(readFileSync(join(log, `checkpoint.${edge.size}`), 'utf8'), [vkey]).root);
    }
    expect(edge.size).toBe(14);
  });

  it('have the paths that are read here', () => {
    for (const folder of ['tile/0/000.p', 'tile/entries/000.p']) {
      for (const width of readdirSync(join(log, folder))) expect(parseTilePath(`${folder}/${width}`)?.width).toBe(Number(width));
    }
  });
});
