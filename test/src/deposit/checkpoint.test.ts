import { describe, expect, it } from 'vitest';
import { appendLeaves, openCheckpoint, parseCheckpoint, writeCheckpoint } from '../../../src/deposit/checkpoint.js';
import { fromB64, logSigner, parseVkey, splitNote, toB64 } from '../../../src/deposit/note.js';
import { EMPTY_ROOT, EMPTY_TREE, leafNode } from '../../../src/deposit/tree.js';
import { codeOf } from '../../support/fault.js';

const seed = (n: number) => Buffer.alloc(32, n);
const log = logSigner('log.example/one', seed(1));
const other = logSigner('log.example/two', seed(2));
const impostor = logSigner('log.example/one', seed(3));
const root = leafNode('a leaf');
const note = writeCheckpoint({ size: 1, root }, log);
const signatureLine = (text: string): string => text.slice(text.lastIndexOf('—'));

describe('a log key', () => {
  it('is written with the id that its bytes give', () => {
    expect(log.vkey).toMatch(/^log\.example\/one\+[0-9a-f]{8}\+AY/);
    expect(parseVkey(log.vkey).name).toBe('log.example/one');
  });

  it.each([
    ['another id', log.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['another name', log.vkey.replace('one', 'two')],
    ['no name', log.vkey.slice('log.example/one'.length)],
    ['another type', log.vkey.replace(/\+[^+]{44}$/, `+${toB64(Buffer.concat([Uint8Array.of(4), seed(1)]))}`)],
    ['a cut key', log.vkey.slice(0, -4)],
    ['base64url', log.vkey.replaceAll('/', '_')],
  ])('is refused with %s', (_, vkey) => {
    expect(codeOf(() => parseVkey(vkey))).toBe('deposit.malformed');
  });

  it('has a name without spaces and without +', () => {
    for (const name of ['', 'a b', 'a+b', 'a\u2003b', 'a\u0000b']) expect(codeOf(() => logSigner(name, seed(1)))).toBe('deposit.malformed');
  });
});

describe('a checkpoint', () => {
  it('says origin, size and root under the signature of its log', () => {
    expect(note).toBe(`log.example/one\n1\n${toB64(root)}\n\n${signatureLine(note)}`);
    expect(openCheckpoint(note, [other.vkey, log.vkey])).toEqual({ origin: 'log.example/one', size: 1, root });
  });

  it('is refused when any byte of its text was changed', () => {
    for (let at = 0; at < note.indexOf('\n\n'); at++) {
      const changed = note.slice(0, at) + (note[at] === '2' ? '3' : '2') + note.slice(at + 1);
      expect(codeOf(() => openCheckpoint(changed, [log.vkey])), `character ${at}`).toMatch(/^deposit\.(checkpoint|malformed)$/);
    }
  });

  it('is refused when any bit of its signature was changed', () => {
    const line = signatureLine(note).trim().split(' ');
    const bytes = fromB64(line[2]!)!;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(codeOf(() => openCheckpoint(note.replace(line[2]!, toB64(changed)), [log.vkey]))).toBe('deposit.checkpoint');
    }
  });

  it('is refused from a key that is not known, also under the name of one that is', () => {
    expect(codeOf(() => openCheckpoint(note, [other.vkey]))).toBe('deposit.checkpoint');
    expect(codeOf(() => openCheckpoint(writeCheckpoint({ size: 1, root }, impostor), [log.vkey]))).toBe('deposit.checkpoint');
  });

  it('is refused when a known log signed in the name of another', () => {
    const text = `${log.origin}\n1\n${toB64(root)}\n`;
    const forged = writeCheckpoint({ size: 1, root }, { ...other, sign: () => other.sign(Buffer.from(text)) }).replace(other.origin, log.origin);
    expect(codeOf(() => openCheckpoint(forged, [log.vkey, other.vkey]))).toBe('deposit.checkpoint');
  });

  it('may carry cosignatures of witnesses that are not known, if they are well-formed', () => {
    const witness = `— witness.example/w1 ${toB64(Buffer.alloc(76, 7))}\n`;
    expect(openCheckpoint(note + witness, [log.vkey]).size).toBe(1);
    expect(codeOf(() => openCheckpoint(`${note}— witness.example/w1 ====\n`, [log.vkey]))).toBe('deposit.malformed');
    expect(codeOf(() => openCheckpoint(`${note}witness.example/w1\n`, [log.vkey]))).toBe('deposit.malformed');
  });

  it('is refused when one of two known keys signed something else', () => {
    const wrong = signatureLine(writeCheckpoint({ size: 2, root }, other));
    expect(codeOf(() => openCheckpoint(note + wrong, [log.vkey]))).toBe(null);
    expect(codeOf(() => openCheckpoint(note + wrong, [log.vkey, other.vkey]))).toBe('deposit.checkpoint');
  });

  it.each([
    ['an empty origin', `\n1\n${toB64(EMPTY_ROOT)}\n`],
    ['a size with a leading zero', `o\n01\n${toB64(EMPTY_ROOT)}\n`],
    ['a negative size', `o\n-1\n${toB64(EMPTY_ROOT)}\n`],
    ['a size that no number holds', `o\n9007199254740993\n${toB64(EMPTY_ROOT)}\n`],
    ['a short root', 'o\n1\nAAAA\n'],
    ['a root with spare bits', `o\n1\n${toB64(EMPTY_ROOT).slice(0, -2)}V=\n`],
    ['no root', 'o\n1\n'],
    ['no last newline', `o\n1\n${toB64(EMPTY_ROOT)}`],
    ['an empty extension line', `o\n1\n${toB64(EMPTY_ROOT)}\n\n`],
  ])('is refused with %s', (_, text) => {
    expect(codeOf(() => parseCheckpoint(text))).toBe('deposit.malformed');
  });

  it.each([
    ['without a blank line', note.replace('\n\n', '\n')],
    ['without a last newline', note.slice(0, -1)],
    ['without signatures', note.slice(0, note.indexOf('\n\n') + 2)],
    ['with control characters', note.replace('one', 'o\rne')],
    ['with more signatures than a log has witnesses', note + signatureLine(note).repeat(40)],
    ['larger than any checkpoint', `${'a'.repeat(70_000)}${note}`],
  ])('is no note %s', (_, text) => {
    expect(codeOf(() => splitNote(text))).toBe('deposit.malformed');
  });
});

describe('appending leaves', () => {
  it('gives the same checkpoint when it is done again', () => {
    const build = appendLeaves(log);
    const first = build(EMPTY_TREE, ['a', 'b']);
    expect(build(EMPTY_TREE, ['a', 'b'])).toEqual(first);
    expect(openCheckpoint(first.note, [log.vkey]).root.toString('base64url')).toBe(first.root);
    expect(build(first, ['c'])).toEqual(build(EMPTY_TREE, ['a', 'b', 'c']));
  });
});
