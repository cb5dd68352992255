import { beforeAll, describe, expect, it } from 'vitest';
import { readCertificate } from '../../../attest/x509/certificate.js';
import type { Oddity } from '../../../attest/x509/oddities.js';
import { findPath } from '../../../attest/x509/path.js';
import { type PinnedRoot, pinRoots } from '../../../attest/x509/roots.js';
import { AK_PURPOSE, EK_PURPOSE } from '../../../attest/x509/tpm.js';
import { DAY, NOW, type Party, ca, ek, issue, newKeys, party, pemOf, pin, purposes, unknownCritical, usage, x509 } from '../../support/authority.js';

let root: Party;
let middle: Party;
let low: Party;
let chip: Party;
let anchor: PinnedRoot;
let middleDer: Buffer;

beforeAll(async () => {
  [root, middle, low, chip] = (await Promise.all([party('CN=Maker root'), party('CN=Maker issuing'), party('CN=Maker plant'), party('CN=TPM')])) as [Party, Party, Party, Party];
  anchor = pin(await issue({ subject: root, issuer: root, extensions: ca() }));
  middleDer = await issue({ subject: middle, issuer: root, extensions: ca(0) });
});

interface Setting { chain?: Buffer[]; roots?: readonly PinnedRoot[]; nowS?: number; purpose?: string | null; tolerated?: Oddity[] }
function verdict(leaf: Buffer, { chain = [middleDer], roots = [anchor], nowS = NOW, purpose = null, tolerated = [] }: Setting = {}): string {
  const answer = findPath({ leaf: readCertificate(leaf), intermediates: chain.map((der) => readCertificate(der)), anchors: roots, nowS, purpose, tolerated: new Set(tolerated) });
  return answer.ok ? `ok by ${answer.root.certificate.title}` : answer.finding.code;
}

describe('a path', () => {
  it('leads to a pinned root, directly or through authorities that the device sends', async () => {
    expect(verdict(await issue({ subject: chip, issuer: root }), { chain: [] })).toBe('ok by CN=Maker root');
    expect(verdict(await issue({ subject: chip, issuer: middle }))).toBe('ok by CN=Maker root');
  });

  it('may begin at a pinned issuing authority, which then is the root, or be a pinned certificate alone', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(leaf, { chain: [], roots: [pin(middleDer)] })).toBe('ok by CN=Maker issuing');
    expect(verdict(leaf, { chain: [], roots: [pin(leaf)] })).toBe('ok by CN=TPM');
  });

  it('is refused without its root, and by a stranger under the same name', async () => {
    const stranger: Party = { name: root.name, keys: await newKeys() };
    expect(verdict(await issue({ subject: chip, issuer: middle }), { chain: [] })).toBe('cert.unchained');
    expect(verdict(await issue({ subject: chip, issuer: stranger }), { chain: [] })).toBe('cert.unchained');
    expect(verdict(await issue({ subject: chip, issuer: chip }), { chain: [] })).toBe('cert.unchained');
  });

  it('is found among several issuers of one name, and goes round by another when the first does not hold', async () => {
    const twin: Party = { name: middle.name, keys: await newKeys() };
    const twinDer = await issue({ subject: twin, issuer: root, extensions: ca() });
    const expired = await issue({ subject: middle, issuer: root, extensions: ca(), to: NOW - 1 });
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(leaf, { chain: [twinDer, expired, middleDer] })).toBe('ok by CN=Maker root');
    expect(verdict(leaf, { chain: [twinDer, expired] })).toBe('cert.expired');
  });

  it('goes through a cross-signed authority to whichever root is pinned', async () => {
    const other = await party('CN=Other root');
    const crossed = await issue({ subject: root, issuer: other, extensions: ca() });
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(leaf, { chain: [middleDer, crossed], roots: [pin(await issue({ subject: other, issuer: other, extensions: ca() }))] })).toBe('ok by CN=Other root');
  });

  it('goes through authorities only: an issuer with CA=false, none or no right to sign certificates is refused', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    const below = async (extensions: x509.Extension[]) => verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions })] });
    expect(await below([new x509.BasicConstraintsExtension(false, undefined, true)])).toBe('cert.authority');
    expect(await below([])).toBe('cert.authority');
    expect(await below([new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(usage.digitalSignature, true)])).toBe('cert.authority');
  });

  it('respects path lengths: an authority below one that may have none is refused, a self-issued one is not counted', async () => {
    const lowDer = await issue({ subject: low, issuer: middle, extensions: ca() });
    const leaf = await issue({ subject: chip, issuer: low });
    expect(verdict(leaf, { chain: [middleDer, lowDer] })).toBe('cert.path_length');
    expect(verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions: ca(1) }), lowDer] })).toBe('ok by CN=Maker root');
    const renewed: Party = { name: middle.name, keys: await newKeys() };
    const renewal = await issue({ subject: renewed, issuer: middle, extensions: ca() });
    expect(verdict(await issue({ subject: chip, issuer: renewed }), { chain: [middleDer, renewal] })).toBe('ok by CN=Maker root');
  });

  it('is valid now, each link of it, to the second', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(leaf, { nowS: NOW + DAY })).toBe('ok by CN=Maker root');
    expect(verdict(leaf, { nowS: NOW + DAY + 1 })).toBe('cert.expired');
    expect(verdict(leaf, { nowS: NOW - DAY - 1 })).toBe('cert.expired');
    expect(verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions: ca(), to: NOW - 1 })] })).toBe('cert.expired');
    expect(verdict(leaf, { roots: [pin(await issue({ subject: root, issuer: root, extensions: ca(), from: NOW + 1 }))] })).toBe('cert.expired');
  });

  it('holds no critical extension that is unknown here, in any link', async () => {
    const san = new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: '2.23.133.2.1=id:00001014' }], true);
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: ek(san) }))).toBe('ok by CN=Maker root');
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: ek(unknownCritical) }))).toBe('cert.critical');
    expect(verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions: [...ca(), unknownCritical] })] })).toBe('cert.critical');
    expect(verdict(leaf, { roots: [pin(await issue({ subject: root, issuer: root, extensions: [...ca(), unknownCritical] }))] })).toBe('cert.critical');
  });

  it('is signed over hashes that hold; a pinned root is pinned, whatever hash it was signed with', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(await issue({ subject: chip, issuer: middle, hash: 'SHA-1' }))).toBe('cert.weak');
    expect(verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions: ca(), hash: 'SHA-1' })] })).toBe('cert.weak');
    expect(verdict(leaf, { roots: [pin(await issue({ subject: root, issuer: root, extensions: ca(), hash: 'SHA-1' }))] })).toBe('ok by CN=Maker root');
  });

  it('is for one purpose from end to end: an authority for attestation keys endorses nothing', async () => {
    const leaf = await issue({ subject: chip, issuer: middle, extensions: ek(purposes(EK_PURPOSE)) });
    const through = async (...ids: string[]) => verdict(leaf, { chain: [await issue({ subject: middle, issuer: root, extensions: [...ca(), purposes(...ids)] })], purpose: EK_PURPOSE });
    expect(await through(EK_PURPOSE)).toBe('ok by CN=Maker root');
    expect(await through('2.5.29.37.0')).toBe('ok by CN=Maker root');
    expect(await through(AK_PURPOSE)).toBe('cert.purpose');
    expect(verdict(leaf, { purpose: AK_PURPOSE })).toBe('cert.purpose');
  });

  it('breaks the profile of RFC 5280 only where its judge tolerates that breach by name', async () => {
    const leaf = await issue({ subject: chip, issuer: middle, aki: false });
    expect(verdict(leaf)).toBe('cert.profile');
    expect(verdict(leaf, { tolerated: ['aki-missing'] })).toBe('ok by CN=Maker root');
  });
});

describe('hostile candidates', () => {
  it('do not make it run in circles: authorities that issue each other', async () => {
    const a = await issue({ subject: middle, issuer: low, extensions: ca() });
    const b = await issue({ subject: low, issuer: middle, extensions: ca() });
    expect(verdict(await issue({ subject: chip, issuer: middle }), { chain: [a, b, a, b] })).toBe('cert.unchained');
  });

  it('take bounded time however many of one name and key there are (path building by all permutations)', async () => {
    const many: Buffer[] = [];
    const parties = await Promise.all(Array.from({ length: 30 }, async () => ({ name: middle.name, keys: await newKeys() })));
    for (const subject of parties) for (const issuer of parties.slice(0, 4)) many.push(await issue({ subject, issuer, extensions: ca() }));
    const begun = performance.now();
    expect(verdict(await issue({ subject: chip, issuer: parties[0]! }), { chain: many })).toBe('cert.limit');
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it('are not more than eight deep', async () => {
    const line = await Promise.all(Array.from({ length: 10 }, (_, i) => party(`CN=Level ${i}`)));
    const chain = await Promise.all(line.map((subject, i) => issue({ subject, issuer: line[i - 1] ?? root, extensions: ca() })));
    expect(verdict(await issue({ subject: chip, issuer: line[7]! }), { chain })).toBe('ok by CN=Maker root');
    expect(verdict(await issue({ subject: chip, issuer: line[8]! }), { chain })).toBe('cert.unchained');
  });
});

describe('pinned roots', () => {
  it('are read out of a PEM file with comments, and mark what is below them', () => {
    const pem = pemOf(anchor.certificate.der);
    expect(pinRoots(`${pem}# a comment\n${pem}`, { simulated: true }).map(({ simulated, uses, certificate }) => [simulated, uses, certificate.title]))
      .toEqual([[true, ['ek'], 'CN=Maker root'], [true, ['ek'], 'CN=Maker root']]);
  });
});
