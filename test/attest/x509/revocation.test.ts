import { beforeAll, describe, expect, it } from 'vitest';
import { readCrls, revoked } from '../../../attest/x509/crl.js';
import { findPath } from '../../../attest/x509/path.js';
import { readCertificate } from '../../../attest/x509/certificate.js';
import { DAY, NOW, type Party, ca, issue, newKeys, party, pemOf, pin, revocationList, usage, x509 } from '../../support/authority.js';
import { codeOf } from '../../support/fault.js';

let root: Party;
let middle: Party;
let leaf: Buffer;
let middleDer: Buffer;
let rootDer: Buffer;
beforeAll(async () => {
  [root, middle] = (await Promise.all([party('CN=Maker root'), party('CN=Maker issuing')])) as [Party, Party];
  rootDer = await issue({ subject: root, issuer: root, extensions: ca() });
  middleDer = await issue({ subject: middle, issuer: root, extensions: ca(), serial: '0777' });
  leaf = await issue({ subject: await party('CN=TPM'), issuer: middle, serial: '00aa55' });
});

function verdict(files: readonly (Uint8Array | string)[], { refuseStale = true, nowS = NOW, chain = [middleDer] } = {}): string | null {
  const lists = files.flatMap((file) => readCrls(Buffer.from(file as string)));
  const answer = findPath({
    leaf: readCertificate(leaf), intermediates: chain.map((der) => readCertificate(der)), anchors: [pin(rootDer)], nowS, purpose: null, tolerated: new Set(),
    revocation: (path) => revoked(path, { lists, refuseStale }, nowS),
  });
  return answer.ok ? null : answer.finding.code;
}

describe('a revocation list', () => {
  it('revokes what its issuer issued, at any place of the path', async () => {
    expect(verdict([await revocationList({ issuer: middle, serials: ['00aa55'] })])).toBe('cert.revoked');
    expect(verdict([await revocationList({ issuer: root, serials: ['0777'] })])).toBe('cert.revoked');
    expect(verdict([pemOf(await revocationList({ issuer: middle, serials: ['0100', '00aa55'] }), 'X509 CRL')])).toBe('cert.revoked');
    expect(verdict([await revocationList({ issuer: middle, serials: ['0101'] }), await revocationList({ issuer: root, serials: [] })])).toBeNull();
  });

  it('of another issuer, or in the name of the issuer by another key, revokes nothing', async () => {
    expect(verdict([await revocationList({ issuer: root, serials: ['00aa55'] })])).toBeNull();
    expect(verdict([await revocationList({ issuer: { name: middle.name, keys: await newKeys() }, serials: ['00aa55'] })])).toBeNull();
  });

  it('of an authority that may not sign lists counts for nothing', async () => {
    const certOnly = await issue({ subject: middle, issuer: root, extensions: [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(usage.keyCertSign, true)] });
    expect(verdict([await revocationList({ issuer: middle, serials: ['00aa55'] })], { chain: [certOnly] })).toBeNull();
  });

  it('that is over or not yet begun refuses what it should speak of; when the operator only wants to be told, it still revokes', async () => {
    const [old, early] = [await revocationList({ issuer: middle, serials: [], to: NOW - 1 }), await revocationList({ issuer: middle, serials: [], from: NOW + 1, to: NOW + DAY })];
    expect([verdict([old]), verdict([early])]).toEqual(['cert.crl_stale', 'cert.crl_stale']);
    expect(verdict([old, await revocationList({ issuer: middle, serials: [] })])).toBeNull();
    expect(verdict([old], { refuseStale: false })).toBeNull();
    expect(verdict([await revocationList({ issuer: middle, serials: ['00aa55'], to: NOW - 1 })], { refuseStale: false })).toBe('cert.revoked');
    expect(verdict([await revocationList({ issuer: middle, serials: [], to: null })])).toBeNull();
  });

  it('for a part of its certificates, or with entries of other issuers, is refused: taken for the whole it would hide revocations', async () => {
    const partial = await revocationList({ issuer: middle, serials: [], extensions: [new x509.Extension('2.5.29.28', true, Buffer.from('3003820100', 'hex'))] });
    const delta = await revocationList({ issuer: middle, serials: [], extensions: [new x509.Extension('2.5.29.27', true, Buffer.from('020101', 'hex'))] });
    for (const list of [partial, delta]) expect(codeOf(() => readCrls(list))).toBe('cert.malformed');
  });

  it('that is damaged or none is refused by code', async () => {
    const list = await revocationList({ issuer: middle, serials: ['00aa55'] });
    for (let at = 0; at < list.length; at += 3) {
      const bytes = Buffer.from(list);
      bytes[at]! ^= 0x11;
      expect([null, 'cert.malformed', 'cert.crl_stale']).toContain(codeOf(() => verdict([bytes])));
      expect(codeOf(() => readCrls(list.subarray(0, at)))).toBe('cert.malformed');
    }
    expect(codeOf(() => readCrls(Buffer.from('nothing')))).toBe('cert.malformed');
  });
});
