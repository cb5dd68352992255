import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAuthoritySet } from '../../attest/x509/index.js';
import { loadTpmTrust } from '../../verifier/tpms.js';
import { ca, issue, party, pemOf, revocationList } from '../support/authority.js';
import { codeOf } from '../support/fault.js';

let dir: string;
let rootPem: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-tpms-'));
  const root = await party('CN=My TPM root');
  rootPem = join(dir, 'root.pem');
  writeFileSync(rootPem, pemOf(await issue({ subject: root, issuer: root, extensions: ca() })));
  writeFileSync(join(dir, 'a.crl'), await revocationList({ issuer: root, serials: ['0102'] }));
  writeFileSync(join(dir, 'README.md'), 'not a list');
});
afterAll(() => rmSync(dir, { recursive: true }));

const trust = (changes: Partial<Parameters<typeof loadTpmTrust>[0]> = {}) =>
  loadTpmTrust({ ekRoots: ['builtin'], akRoots: ['builtin'], testRoots: [], crlStale: 'refuse', blockListFile: 'builtin', publishers: '', policyFile: '', ...changes });

describe('whom a verifier believes about TPMs', () => {
  it('by default: the shipped roots, each for what it may vouch for, and the shipped block list', () => {
    const { roots, intermediates, blockList } = trust();
    expect(roots.filter(({ uses }) => uses.includes('ek')).length).toBeGreaterThan(30);
    expect(roots.filter(({ uses }) => uses.includes('ak')).map(({ certificate }) => certificate.title)).toEqual([expect.stringContaining('EK/AK CA Root')]);
    expect(roots.every(({ simulated }) => !simulated)).toBe(true);
    expect(intermediates.length).toBeGreaterThan(100);
    expect(blockList.rows.map(({ id }) => id)).toContain('CVE-2017-15361');
  });

  it('otherwise: the files of the operator, in place of the shipped set or beside it', () => {
    expect(trust({ ekRoots: [rootPem], akRoots: [] }).roots.map(({ certificate, uses }) => [certificate.title, uses])).toEqual([['CN=My TPM root', ['ek']]]);
    expect(trust({ ekRoots: ['builtin', rootPem] }).roots.length).toBe(trust().roots.length + 1);
    expect(trust({ ekRoots: [], akRoots: [] })).toMatchObject({ roots: [], intermediates: [] });
    expect(trust({ ekRoots: [], akRoots: [], testRoots: [rootPem] }).roots).toMatchObject([{ simulated: true }]);
  });

  it('and the revocation lists of a folder', () => {
    const { revocations } = trust({ crlDir: dir });
    expect(revocations.lists.map(({ serials }) => [...serials])).toEqual([[expect.stringContaining('102')]]);
  });

  it.each([
    ['a file that is not there', () => ({ ekRoots: ['/nowhere/root.pem'] }), 'config.unreadable'],
    ['a folder that is not there', () => ({ crlDir: '/nowhere' }), 'config.unreadable'],
    ['a file without a certificate', () => ({ ekRoots: [join(dir, 'README.md')] }), 'config.invalid'],
    ['a block list that is none', () => ({ blockListFile: rootPem }), 'config.invalid'],
  ])('refuses to start with %s', (_, changes, code) => {
    expect(codeOf(() => trust(changes()))).toBe(code);
  });

  it('refuses to start with a damaged root or list, by the name of its file', () => {
    const bad = join(dir, 'bad');
    writeFileSync(`${bad}.pem`, readFileSync(rootPem, 'utf8').replace('MII', 'MIJ'));
    expect(() => trust({ ekRoots: [`${bad}.pem`] })).toThrow(/bad\.pem is wrong: the certificate cannot be read at byte/);
    rmSync(`${bad}.pem`);
    writeFileSync(`${bad}.crl`, 'nonsense');
    expect(() => trust({ crlDir: dir })).toThrow(/bad\.crl is wrong/);
    rmSync(`${bad}.crl`);
  });
});

describe('the shipped set of authorities', () => {
  const file = new URL('../../data/ek-roots/certificates.json', import.meta.url);
  const text = readFileSync(file, 'utf8');
  const pins = JSON.parse(readFileSync(new URL('../../data/ek-roots/pins.json', import.meta.url), 'utf8')) as { sha256: string }[];

  it('holds exactly the pinned roots, and says of each certificate where it was found', () => {
    const { roots } = readAuthoritySet(text, 'set');
    expect(roots.map(({ certificate }) => certificate.fingerprint).sort()).toEqual(pins.map(({ sha256 }) => sha256).sort());
    const set = JSON.parse(text) as { collections: { name: string; commit: string; licence: string }[]; certificates: { sources: string[] }[] };
    const named = new Set(set.collections.map(({ name }) => name));
    expect(set.certificates.filter(({ sources }) => sources.length === 0 || sources.some((source) => !named.has(source.split(':')[0]!)))).toEqual([]);
    for (const { commit, licence } of set.collections) expect([commit, licence]).toEqual([expect.stringMatching(/^[0-9a-f]{40}$/), expect.stringMatching(/^(?:BSD|Apache)/)]);
  });

  it('is refused when a certificate is not the one of its fingerprint', () => {
    const set = JSON.parse(text) as { certificates: { der: string }[] };
    set.certificates[0]!.der = set.certificates[1]!.der;
    expect(codeOf(() => readAuthoritySet(JSON.stringify(set), 'set'))).toBe('config.invalid');
  });
});
