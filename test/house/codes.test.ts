import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PAGE, codesPage } from '../../scripts/codes.js';
import { CODES } from '../../src/codes.js';
import { unknownCodes, unusedCodes } from './codes.js';
import { sourcesOf } from './sources.js';

const KNOWN = new Set(Object.keys(CODES));
const sources = ['src', 'attest', 'daemon', 'verifier', 'client', 'cli'].flatMap(sourcesOf).filter(({ path }) => path !== 'src/codes.ts');

describe('the table of codes', () => {
  it('has a row for every code that is spoken', () => {
    expect(unknownCodes(sources, KNOWN)).toEqual([]);
  });

  it('has no row that nothing speaks', () => {
    expect(unusedCodes(sources, KNOWN)).toEqual([]);
  });

  it('is the page in docs', () => {
    expect(readFileSync(PAGE, 'utf8')).toBe(codesPage());
  });

  it('names each code room.word, says what happened and what to do', () => {
    for (const [code, { sentence, fix, status }] of Object.entries(CODES)) {
      expect(code).toMatch(/^[a-z]+\.[a-z_]+$/);
      expect(sentence.length * fix.length).toBeGreaterThan(0);
      expect(status).toBeGreaterThanOrEqual(202);
    }
  });

  it('is missed by a code without a row, and by a row without a speaker', () => {
    const planted = [{ path: 'src/x.ts', text: "throw fault('money.gone'); log.warn({ code: 'tpm.lost' }, ''); const check = rule('carrier.state', []);" }];
    expect(unknownCodes(planted, KNOWN)).toEqual(['src/x.ts: money.gone', 'src/x.ts: tpm.lost']);
    expect(unusedCodes([], new Set(['money.gone']))).toEqual(['money.gone']);
    expect(unusedCodes([{ path: 'src/y.ts', text: 'deny(finding(`carrier.${state}`))' }], new Set(['carrier.frozen']))).toEqual([]);
  });
});
