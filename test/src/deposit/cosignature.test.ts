import { describe, expect, it } from 'vitest';
import { openCheckpoint, writeCheckpoint } from '../../../src/deposit/checkpoint.js';
import { cosignatures, parseWitness, withLine } from '../../../src/deposit/cosignature.js';
import { logSigner, parseVkey } from '../../../src/deposit/note.js';
import { codeOf } from '../../support/fault.js';
import { noteText, testWitness } from '../../support/witness.js';

const signer = logSigner('log.example', Buffer.alloc(32, 3));
const note = writeCheckpoint({ size: 5, root: Buffer.alloc(32, 1) }, signer);
const [one, two] = [testWitness('witness.example/1', 9), testWitness('witness.example/2', 10)];
const keys = [one, two].map(({ vkey }) => parseWitness(vkey));
const signed = withLine(withLine(note, one.line(noteText(note), 17)), two.line(noteText(note), 18));

describe('a cosigned checkpoint', () => {
  it('names the known witnesses and their times, and is still the checkpoint of its log', () => {
    expect(cosignatures(signed, keys)).toEqual([{ name: one.name, timeS: 17 }, { name: two.name, timeS: 18 }]);
    expect(cosignatures(signed, [keys[1]!])).toEqual([{ name: two.name, timeS: 18 }]);
    expect(cosignatures(note, keys)).toEqual([]);
    expect(openCheckpoint(signed, [signer.vkey]).size).toBe(5);
  });

  it.each([
    ['for another checkpoint', one.line(noteText(note).replace('5', '6'))],
    ['by another key in the name of the witness', one.line(noteText(note)).slice(0, 40) + testWitness(one.name, 11).line(noteText(note)).slice(40)],
    ['with another time than was signed', one.line(noteText(note), 17).replace(/ (\S+)$/, (_, text: string) => { const bytes = Buffer.from(text, 'base64'); bytes[11]! ^= 1; return ` ${bytes.toString('base64')}`; })],
    ['cut short', one.line(noteText(note)).replace(/ (\S+)$/, (_, text: string) => ` ${Buffer.from(text, 'base64').subarray(0, -1).toString('base64')}`)],
  ])('is refused when a known witness is said to have signed %s', (_, line) => {
    expect(codeOf(() => cosignatures(withLine(note, line), keys))).toBe('deposit.checkpoint');
  });

  it('is not signed by a log key, nor is a checkpoint by a witness: the kinds of keys stay apart', () => {
    expect(codeOf(() => parseWitness(signer.vkey))).toBe('deposit.malformed');
    expect(codeOf(() => parseVkey(one.vkey))).toBe('deposit.malformed');
  });
});
