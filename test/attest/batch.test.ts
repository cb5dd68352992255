import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { type Binding, binding, bindingLeaf } from '../../src/objects/evidence.js';
import { batchOf, rootFrom } from '../../attest/batch.js';

const hash = sha256('x');
const bindingNo = (seq: number): Binding => ({
  v: 'ari-bind-1', nonce: sha256(`nonce ${seq}`), aud: 'https://verifier.example', paymentSha256: hash, mandateSha256: hash, closedSha256: hash, agentSha256: hash,
  platformSha256: hash, logN: 1, logEpoch: hash, seq, jkt: hash, ctr: null,
});
const bindings = (size: number): Binding[] => Array.from({ length: size }, (_, i) => bindingNo(i));
const leafOf = (value: Binding): Buffer => bindingLeaf(binding, value);
const size = fc.integer({ min: 1, max: 70 });

describe('a batch of bindings under one signature', () => {
  it('is the leaf itself for a lone payment', () => {
    const { root, paths } = batchOf([bindingNo(1)]);
    expect(root).toEqual(leafOf(bindingNo(1)));
    expect(paths).toEqual([{ index: 0, size: 1, path: [] }]);
    expect(rootFrom(leafOf(bindingNo(1)), paths[0]!)).toEqual(root);
  });

  it('leads each binding to the one root', () => {
    fc.assert(fc.property(size, (n) => {
      const all = bindings(n);
      const { root, paths } = batchOf(all);
      all.forEach((each, i) => expect(rootFrom(leafOf(each), paths[i]!)).toEqual(root));
    }), { numRuns: 40 });
  });

  it('has one place for each binding: no other index, size or path leads its leaf to the root', () => {
    fc.assert(fc.property(size, fc.nat(), fc.integer({ min: 0, max: 80 }), fc.integer({ min: 1, max: 80 }), (n, pick, index, otherSize) => {
      const all = bindings(n);
      const i = pick % n;
      const { root, paths } = batchOf(all);
      const path = paths[i]!.path;
      const leaf = leafOf(all[i]!);
      if (index !== i) expect(rootFrom(leaf, { index, size: n, path })?.equals(root) ?? false).toBe(false);
      expect(rootFrom(leaf, { index: i, size: n, path: [...path, hash] })).toBeNull();
      if (path.length > 0) expect(rootFrom(leaf, { index: i, size: n, path: path.slice(1) })).toBeNull();
      if (otherSize <= i) expect(rootFrom(leaf, { index: i, size: otherSize, path })).toBeNull();
    }), { numRuns: 200 });
  });

  it('refuses a path whose hashes are none', () => {
    const { paths } = batchOf(bindings(4));
    expect(rootFrom(leafOf(bindingNo(0)), { ...paths[0]!, path: [toB64u(Buffer.alloc(31)), hash] })).toBeNull();
  });

  it('tells a leaf from a node: an inner node is not taken for a binding of a smaller tree', () => {
    const all = bindings(4);
    const { root, paths } = batchOf(all);
    const inner = rootFrom(leafOf(all[0]!), { index: 0, size: 2, path: paths[0]!.path.slice(0, 1) })!;
    expect(rootFrom(inner, { index: 0, size: 2, path: paths[0]!.path.slice(1) })).toEqual(root);
    expect(all.some((each) => leafOf(each).equals(inner))).toBe(false);
  });
});
