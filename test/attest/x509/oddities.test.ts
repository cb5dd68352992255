import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BREACHES, ODDITIES, type Oddity, TPM_MAKERS } from '../../../attest/x509/oddities.js';

const page = readFileSync(new URL('../../../docs/tpm-trust.md', import.meta.url), 'utf8');
/** What the page says of each oddity, by its last column. */
const documented = new Map([...page.matchAll(/^\| (`[^|]+) \|[^|]*\| (\w+) \|$/gm)].flatMap(([, names, kind]) => [...names!.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => [name as Oddity, kind!] as const)));
const kindOf = (oddity: Oddity): string => (!BREACHES.has(oddity) ? 'shown' : TPM_MAKERS.has(oddity) ? 'makers' : 'refused');

describe('the oddities of certificates', () => {
  it('stand in the documentation, each with what is done about it', () => {
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(ODDITIES.map((oddity) => [oddity, kindOf(oddity)])));
  });

  it('that are tolerated in makers are breaches: nothing is tolerated that was no breach', () => {
    expect([...TPM_MAKERS].filter((oddity) => !BREACHES.has(oddity))).toEqual([]);
  });
});
