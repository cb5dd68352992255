/** Our verdicts beside those of `openssl verify` over random chains: what we take, OpenSSL takes too. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCertificate } from '../../../attest/x509/certificate.js';
import { findPath } from '../../../attest/x509/path.js';
import { NOW, DAY, issue, party, pemOf, pin, unknownCritical, usage, x509 } from '../../support/authority.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-openssl-'));
afterAll(() => rmSync(dir, { recursive: true }));
const present = spawnSync('openssl', ['version']).status === 0;
const file = (name: string, ...ders: Buffer[]): string => { writeFileSync(join(dir, name), ders.map((der) => pemOf(der)).join('')); return join(dir, name); };

/** The same sequence at each run. */
let state = 20_261_121;
const random = (below: number): number => { state = (state * 1_103_515_245 + 12_345) % 2 ** 31; return Math.floor(state / 2 ** 31 * below); };
const rarely = (): boolean => random(8) === 0;

const authority = (): x509.Extension[] => [
  ...(rarely() ? [] : [new x509.BasicConstraintsExtension(!rarely(), rarely() ? random(2) : undefined, true)]),
  ...(rarely() ? [] : [new x509.KeyUsagesExtension(rarely() ? usage.cRLSign : usage.keyCertSign, true)]), ...(rarely() ? [unknownCritical] : []),
];
const life = () => (rarely() ? { from: NOW - 2 * DAY, to: NOW - DAY } : {});

describe.skipIf(!present)(`OpenSSL${present ? '' : ' (skipped: it is not installed)'}`, () => {
  it('takes every path that is taken here; what it takes and we do not is refused by a rule of RFC 5280', async () => {
    const parties = await Promise.all(['root', 'a', 'b', 'leaf'].map((name) => party(`CN=${name}`)));
    const [root, a, b, leaf] = parties as [typeof parties[0], typeof parties[0], typeof parties[0], typeof parties[0]];
    const seen = { both: 0, neither: 0, openssl: [] as string[] };
    for (let i = 0; i < 40; i++) {
      const ders = {
        root: await issue({ subject: root, issuer: root, extensions: [new x509.BasicConstraintsExtension(true, rarely() ? random(3) : undefined, true), new x509.KeyUsagesExtension(usage.keyCertSign, true)], ...life() }),
        a: await issue({ subject: a, issuer: root, extensions: authority(), ...life() }), b: await issue({ subject: b, issuer: rarely() ? root : a, extensions: authority(), ...life() }),
        leaf: await issue({ subject: leaf, issuer: rarely() ? a : b, extensions: rarely() ? [unknownCritical] : [], ...life() }),
      };
      const ours = findPath({ leaf: readCertificate(ders.leaf), intermediates: [readCertificate(ders.a), readCertificate(ders.b)], anchors: [pin(ders.root)], nowS: NOW, purpose: null, tolerated: new Set() });
      const { status, stderr } = spawnSync('openssl', ['verify', '-attime', String(NOW), '-CAfile', file('root.pem', ders.root), '-untrusted', file('chain.pem', ders.a, ders.b), file('leaf.pem', ders.leaf)], { encoding: 'utf8' });
      if (ours.ok) expect(status, `chain ${i}: ${stderr}`).toBe(0);
      if (ours.ok) seen.both += 1;
      else if (status === 0) seen.openssl.push(ours.finding.code);
      else seen.neither += 1;
    }
    expect(seen.both).toBeGreaterThan(3);
    expect(seen.neither).toBeGreaterThan(3);
    expect([...new Set(seen.openssl)].filter((code) => code !== 'cert.profile')).toEqual([]);
  }, 60_000);
});
