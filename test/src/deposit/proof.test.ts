import { describe, expect, it } from 'vitest';
import { appendLeaves, writeCheckpoint } from '../../../src/deposit/checkpoint.js';
import { logSigner, toB64 } from '../../../src/deposit/note.js';
import { inclusionProof, nodesOf } from '../../../src/deposit/paths.js';
import { parseProof, verifyProof, writeProof } from '../../../src/deposit/proof.js';
import { EMPTY_TREE, leafNode } from '../../../src/deposit/tree.js';
import { codeOf } from '../../support/fault.js';

const log = logSigner('log.example', Buffer.alloc(32, 1));
const leaves = ['zero', 'one', 'two', 'three', 'four'];
const { note } = appendLeaves(log)(EMPTY_TREE, leaves);
const proofOf = (index: number) => writeProof({ index, hashes: inclusionProof(index, leaves.length, nodesOf((i) => leafNode(leaves[i]!))), checkpoint: note });

describe('an offline proof', () => {
  it('says where in the log a leaf stands', () => {
    leaves.forEach((leaf, index) => expect(verifyProof(leaf, proofOf(index), [log.vkey])).toEqual({ index, size: 5, origin: 'log.example' }));
  });

  it('reads back as it was written', () => {
    const text = proofOf(3);
    expect(text.split('\n').slice(0, 2)).toEqual(['c2sp.org/tlog-proof@v1', 'index 3']);
    expect(writeProof(parseProof(text))).toBe(text);
  });

  it('is refused for another leaf, another place and another log', () => {
    expect(codeOf(() => verifyProof('one', proofOf(2), [log.vkey]))).toBe('deposit.proof');
    expect(codeOf(() => verifyProof('two', proofOf(2).replace('index 2', 'index 1'), [log.vkey]))).toBe('deposit.proof');
    expect(codeOf(() => verifyProof('two', proofOf(2), [logSigner('log.example', Buffer.alloc(32, 2)).vkey]))).toBe('deposit.checkpoint');
  });

  it('is refused under the checkpoint of a tree that an attacker made with the right size', () => {
    const forged = writeCheckpoint({ size: 5, root: leafNode('forged') }, log);
    expect(codeOf(() => verifyProof('two', proofOf(2).replace(note, forged), [log.vkey]))).toBe('deposit.proof');
  });

  it('is refused when any character of it was changed', () => {
    const text = proofOf(1);
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + (text[at] === 'B' ? 'C' : 'B') + text.slice(at + 1);
      expect(codeOf(() => verifyProof('one', changed, [log.vkey])), `character ${at}`).toMatch(/^deposit\./);
    }
  });

  it.each([
    ['an extra line, which nothing authenticates', (text: string) => text.replace('\n', '\nextra AAAA\n')],
    ['a hash of 31 bytes', (text: string) => text.replace('\n\n', `\n${toB64(Buffer.alloc(31))}\n\n`)],
    ['a path longer than any tree', (text: string) => text.replace('\n\n', `${`\n${toB64(Buffer.alloc(32))}`.repeat(60)}\n\n`)],
    ['an index with a leading zero', (text: string) => text.replace('index 3', 'index 03')],
    ['another version', (text: string) => text.replace('@v1', '@v2')],
    ['carriage returns', (text: string) => text.replaceAll('\n', '\r\n')],
    ['nothing at all', () => ''],
  ])('is unreadable with %s', (_, change) => {
    expect(codeOf(() => parseProof(change(proofOf(3))))).toBe('deposit.malformed');
  });
});
