import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyConsistency, verifyInclusion } from '../../src/deposit/verify.js';
import { codeOf } from '../support/fault.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

interface Case { case: string; wantErr: boolean; proof: string[] | null; root: string; leafIdx: number; treeSize: number; leafHash: string; size1: number; size2: number; root1: string; root2: string }
const read = (name: string): Case[] => (VECTORS === null ? [] : JSON.parse(readFileSync(join(VECTORS, 'transparency-dev+merkle/derived/merkle', name), 'utf8')));
const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
const hashes = (proof: string[] | null): Buffer[] => (proof ?? []).map(bytes);

describe.skipIf(VECTORS === null)(vectorTitle('transparency-dev/merkle agrees about'), () => {
  it.each(read('inclusion.public.json').map((row) => [row.case, row] as const))('%s', (_, row) => {
    expect(codeOf(() => verifyInclusion(bytes(row.leafHash), row.leafIdx, row.treeSize, hashes(row.proof), bytes(row.root)))).toBe(row.wantErr ? 'deposit.proof' : null);
  });

  it.each(read('consistency.public.json').map((row) => [row.case, row] as const))('%s', (_, row) => {
    expect(codeOf(() => verifyConsistency(row.size1, bytes(row.root1), row.size2, bytes(row.root2), hashes(row.proof)))).toBe(row.wantErr ? 'deposit.proof' : null);
  });
});
