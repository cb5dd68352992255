import { describe, expect, it } from 'vitest';
import { auditLeaves, readLeaf, verifyChain } from '../../../src/deposit/chain.js';
import { appendLeaves, openCheckpoint } from '../../../src/deposit/checkpoint.js';
import { logSigner } from '../../../src/deposit/note.js';
import { EMPTY_TREE } from '../../../src/deposit/tree.js';
import { type DepositLeaf, leafHash, leafText } from '../../../src/objects/leaf.js';
import { Fault } from '../../../src/base/fault.js';
import { codeOf } from '../../support/fault.js';

const none = { payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null };
const leaf = (seq: number, prev: string | null, chain = 'crr_1'): DepositLeaf => ({ kind: 'permitted', v: 'ari-deposit-1', salt: 'AAAAAAAAAAAAAAAAAAAAAA', chain, seq, prev, tsMs: 1000 + seq, code: null, ...none });

function chainOf(length: number): string[] {
  const texts: string[] = [];
  for (let seq = 0; seq < length; seq++) texts.push(leafText(leaf(seq, seq === 0 ? null : leafHash(texts[seq - 1]!))));
  return texts;
}
const messageOf = (run: () => unknown): string => {
  try { run(); } catch (error) { if (error instanceof Fault) return error.message; }
  return '';
};

describe('the chain of a carrier', () => {
  it('is whole from its first leaf', () => {
    expect(verifyChain(chainOf(5)).map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4]);
    expect(verifyChain([])).toEqual([]);
  });

  it.each([
    ['a leaf was left out', 2, (texts: string[]) => texts.filter((_, i) => i !== 2)],
    ['the first leaf was left out', 0, (texts: string[]) => texts.slice(1)],
    ['two leaves changed places', 1, (texts: string[]) => [texts[0]!, texts[2]!, texts[1]!, texts[3]!]],
    ['a leaf was shown twice', 2, (texts: string[]) => [texts[0]!, texts[1]!, texts[1]!, texts[2]!]],
    ['a leaf was rewritten', 3, (texts: string[]) => texts.map((text, i) => (i === 2 ? text.replace('1002', '1003') : text))],
    ['a leaf of another chain stands in it', 1, (texts: string[]) => [texts[0]!, leafText(leaf(1, leafHash(texts[0]!), 'crr_2'))]],
  ])('names the place where %s', (_, seq, change) => {
    const run = () => verifyChain(change(chainOf(4)));
    expect(codeOf(run)).toBe('deposit.chain');
    expect(messageOf(run)).toContain(`at ${seq}`);
  });

  it('takes a leaf in its canonical spelling only', () => {
    const [text] = chainOf(1);
    expect(readLeaf(text!).seq).toBe(0);
    expect(codeOf(() => readLeaf(text!.replace(':', ': ')))).toBe('deposit.malformed');
  });
});

describe('an audit of a copy of the log', () => {
  const log = logSigner('log.example', Buffer.alloc(32, 1));
  const texts = chainOf(7);
  const checkpoint = openCheckpoint(appendLeaves(log)(EMPTY_TREE, texts).note, [log.vkey]);
  const copy = texts.map((text) => ({ leaf: text, leafHash: leafHash(text) }));

  it('agrees with the checkpoint of exactly these leaves', () => {
    expect(codeOf(() => auditLeaves(copy, checkpoint))).toBe(null);
  });

  it('names the first leaf whose text was changed', () => {
    const changed = copy.map((row, i) => (i >= 4 ? { ...row, leaf: row.leaf.replace('crr_1', 'crr_9') } : row));
    expect(codeOf(() => auditLeaves(changed, checkpoint))).toBe('deposit.leaf');
    expect(messageOf(() => auditLeaves(changed, checkpoint))).toContain('leaf 4');
  });

  it('sees that text and hash were changed together, that a leaf is missing or one too many', () => {
    const forged = leafText(leaf(9, null));
    const other = { leaf: forged, leafHash: leafHash(forged) };
    expect(codeOf(() => auditLeaves(copy.with(3, other), checkpoint))).toBe('deposit.root');
    expect(codeOf(() => auditLeaves(copy.slice(0, -1), checkpoint))).toBe('deposit.root');
    expect(codeOf(() => auditLeaves([...copy, other], checkpoint))).toBe('deposit.root');
  });
});
