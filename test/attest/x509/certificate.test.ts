import { type KeyObject, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Fault } from '../../../src/base/fault.js';
import { readCertificate } from '../../../attest/x509/certificate.js';
import { DerReader } from '../../../attest/x509/der.js';
import { describeCertificate } from '../../../attest/x509/describe.js';
import { readCertificateFile } from '../../../attest/x509/input.js';
import { readKey } from '../../../attest/x509/key.js';
import { isEmpty, nameText } from '../../../attest/x509/name.js';
import { Oddities } from '../../../attest/x509/oddities.js';
import { findPath } from '../../../attest/x509/path.js';
import { NOW, type Party, ca, ek, issue, party, pemOf, pin, usage, x509 } from '../../support/authority.js';
import { codeOf } from '../../support/fault.js';

let root: Party;
let chip: Party;
let der: Buffer;
beforeAll(async () => {
  [root, chip] = (await Promise.all([party('CN=Maker root'), party('CN=TPM')])) as [Party, Party];
  der = await issue({ subject: chip, issuer: root });
});
const oddities = (bytes: Buffer): readonly string[] => readCertificate(bytes).oddities;

describe('certificate bytes out of NV memory', () => {
  const cut = (bytes: Buffer): string => codeOf(() => readCertificate(bytes)) ?? (readCertificate(bytes).der.equals(der) ? 'the certificate' : 'something else');

  it('may be padded with 00 or FF, and may follow the header of a stored certificate: each is named', () => {
    for (const padding of [Buffer.alloc(0), Buffer.alloc(300), Buffer.alloc(300, 0xff)]) expect(cut(Buffer.concat([der, padding]))).toBe('the certificate');
    expect(oddities(Buffer.concat([der, Buffer.alloc(9, 0xff)]))).toContain('nv-padding');
    expect(oddities(Buffer.concat([Buffer.from('10010001ff1002', 'hex'), der, Buffer.alloc(9, 0xff)]))).toEqual(expect.arrayContaining(['nv-header', 'nv-padding']));
    expect(oddities(der)).not.toContain('nv-padding');
  });

  it('are nothing but one certificate: other bytes after it, mixed padding and a cut are refused', () => {
    for (const bytes of [Buffer.concat([der, der]), Buffer.concat([der, Buffer.of(0, 0xff)]), Buffer.concat([der, Buffer.of(1)]), der.subarray(0, -1), der.subarray(0, 3), Buffer.of(0x30), Buffer.alloc(0)]) {
      expect(cut(bytes)).toBe('cert.malformed');
    }
  });

  it('have a definite, minimal length', () => {
    for (const header of ['3080', '30820010', '3083000200', '308400000100']) expect(cut(Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(600)]))).toBe('cert.malformed');
  });

  it('survive damage anywhere without a crash: each flipped bit is refused or breaks the signature', async () => {
    const anchors = [pin(await issue({ subject: root, issuer: root, extensions: ca() }))];
    for (let bit = 0; bit < der.length * 8; bit += 5) {
      const bytes = Buffer.from(der);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const refused = codeOf(() => {
        const leaf = readCertificate(bytes);
        const answer = findPath({ leaf, intermediates: [], anchors, nowS: NOW, purpose: null, tolerated: new Set() });
        if (!answer.ok) throw new Fault('enrol.ek_chain', { what: answer.finding.code });
      });
      expect(refused, `bit ${bit}`).toMatch(/^(?:cert\.malformed|enrol\.ek_chain)$/);
    }
  });

  it('of any kind are read, or refused by code: no other error, and never longer than their length allows', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => { expect([null, 'cert.malformed']).toContain(codeOf(() => readCertificate(bytes))); }));
    fc.assert(fc.property(fc.nat(der.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, patch) => {
      const bytes = Buffer.from(der);
      bytes.set(patch.subarray(0, bytes.length - at), at);
      expect([null, 'cert.malformed']).toContain(codeOf(() => readCertificate(bytes)));
    }), { numRuns: 500 });
  });

  it('of a giant or deeply nested structure take no time: nothing recurses', () => {
    const nested = Buffer.concat([...Array.from({ length: 60_000 }, (_, i) => Buffer.from([0x30, 0x83, (i * 5) >> 16 & 0xff, (i * 5) >> 8 & 0xff, (i * 5) & 0xff])).reverse()]);
    const begun = performance.now();
    expect(codeOf(() => readCertificate(nested))).toBe('cert.malformed');
    expect(codeOf(() => readCertificate(Buffer.concat([Buffer.from('3083ffffff', 'hex'), Buffer.alloc(0xffffff)])))).toBe('cert.malformed');
    expect(performance.now() - begun).toBeLessThan(200);
  });
});

describe('a certificate', () => {
  it('names an extension once, and holds no empty or malformed one', async () => {
    const twice = await issue({ subject: chip, issuer: root, extensions: ek(new x509.KeyUsagesExtension(usage.keyAgreement, true)) });
    expect(() => readCertificate(twice)).toThrow('an extension that stands twice');
    const bad = (id: string, value: string) => issue({ subject: chip, issuer: root, extensions: [new x509.Extension(id, false, Buffer.from(value, 'hex'))] });
    for (const [id, value] of [['2.5.29.37', '3000'], ['2.5.29.17', '3000'], ['2.5.29.17', '41424344'], ['2.5.29.19', '30030101'], ['2.5.29.15', '0307'], ['2.5.29.30', '3000'], ['2.5.29.35', '3003810100']] as const) {
      const made = await bad(id, value);
      expect(codeOf(() => readCertificate(made)), `${id} ${value}`).toBe('cert.malformed');
    }
  });

  it('says where it cannot be read', () => {
    expect(() => readCertificate(der.subarray(0, 100))).toThrow(/at byte 0: it is cut off: [0-9]+ bytes are announced, 9[0-9] are there/);
    expect(() => readCertificate(Buffer.from('no'))).toThrow('at byte 0: there is no certificate');
  });

  it('is shown without control characters: what it says goes into messages and logs', async () => {
    const odd = readCertificate(await issue({ subject: { name: 'CN=TPM\u001b[2J\u0000', keys: chip.keys }, issuer: root }));
    expect(nameText(odd.subject)).not.toMatch(/\p{Cc}/u);
    expect(odd.title).not.toMatch(/\p{Cc}/u);
  });

  it('may be without end, and says so', async () => {
    expect(oddities(await issue({ subject: chip, issuer: root, to: 253_402_300_799 }))).toContain('validity-unbounded');
  });

  it('has its oddities named: no EKU, no SAN, an empty subject, a negative or giant serial, a critical SAN', async () => {
    const bare = readCertificate(await issue({ subject: { name: '', keys: chip.keys }, issuer: root, extensions: [], aki: false }));
    expect(isEmpty(bare.subject)).toBe(true);
    expect(bare.oddities).toEqual(expect.arrayContaining(['eku-missing', 'san-missing', 'subject-empty', 'basic-constraints-missing', 'key-usage-missing', 'aki-missing']));
    const negative = Buffer.from(der);
    negative[negative.indexOf(Buffer.from('a003020102', 'hex')) + 7]! |= 0x80;
    expect(readCertificate(negative).oddities).toContain('serial-negative');
    const san = new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: '2.23.133.2.1=id:49465800+2.23.133.2.2=SLB 9670 TPM2.0+2.23.133.2.3=id:073f' }], true);
    const infineon = readCertificate(await issue({ subject: chip, issuer: root, extensions: ek(san), serial: '01'.repeat(21) }));
    expect(infineon.oddities).toEqual(expect.arrayContaining(['san-critical', 'serial-long']));
    expect(describeCertificate(infineon)).toMatchObject({ subject: 'CN=TPM', issuer: 'CN=Maker root', key: 'ec:secp256r1', eku: [], ca: false, tpm: { manufacturer: 'id:49465800', model: 'SLB 9670 TPM2.0', version: 'id:073f' } });
  });

  it('is found in PEM, DER, hex and base64 files, the first of a bundle first', async () => {
    const second = await issue({ subject: root, issuer: root, extensions: ca() });
    for (const file of [der, pemOf(der), `# made by hand\n${pemOf(der)}`, der.toString('hex'), der.toString('hex').toUpperCase().replace(/.{60}/g, '$&\n'), der.toString('base64')]) {
      expect(readCertificateFile(Buffer.from(file))[0].der.equals(der)).toBe(true);
    }
    expect(readCertificateFile(Buffer.from(pemOf(der) + pemOf(second))).map(({ title }) => title)).toEqual(['CN=TPM', 'CN=Maker root']);
    for (const file of ['', 'no certificate!', 'deadbeef', pemOf(der).replace('MII', 'MIJ')]) expect(codeOf(() => readCertificateFile(Buffer.from(file)))).toBe('cert.malformed');
  });
});

describe('the key of a certificate', () => {
  const read = (spki: Buffer) => {
    const seen = new Oddities();
    const { weak, name, key } = readKey(new DerReader(spki, 0, seen).next('the key'));
    return { weak, name, key, oddities: seen.list() };
  };
  const spkiOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' });
  const marked = (key: KeyObject, algorithm: string): Buffer => {
    const old = Buffer.from('300d06092a864886f70d0101010500', 'hex');
    const spki = spkiOf(key);
    const body = Buffer.concat([Buffer.from(algorithm, 'hex'), spki.subarray(spki.indexOf(old) + old.length)]);
    return Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]), body]);
  };

  it.each([['key-oid-oaep', '300d06092a864886f70d0101073000'], ['key-oid-pss', '300b06092a864886f70d01010a']])('is an RSA key also where the maker marked it (%s)', (oddity, algorithm) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const found = read(marked(publicKey, algorithm));
    expect([found.key?.equals(publicKey), found.name, found.weak, found.oddities]).toEqual([true, 'rsa:2048', null, [oddity]]);
  });

  it.each(['P-256', 'P-384', 'P-521'])('may be on %s', (namedCurve) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve });
    expect(read(spkiOf(publicKey)).key?.equals(publicKey)).toBe(true);
  });

  it('CVE-2020-0601: is not on a curve that the certificate brings with it', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
    expect(read(spkiOf(publicKey))).toMatchObject({ key: null, weak: expect.stringContaining('curve') });
    expect(read(spkiOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey)).key).toBeNull();
    expect(read(spkiOf(generateKeyPairSync('ed25519').publicKey)).key).toBeNull();
  });

  it('SPIRE x509pop: is never so large that checking a signature keeps the verifier busy', () => {
    const tlv = (tag: number, body: Buffer): Buffer => Buffer.concat([Buffer.of(tag), body.length < 0x80 ? Buffer.of(body.length) : body.length < 0x100 ? Buffer.of(0x81, body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff), body]);
    const rsa = (bytes: number, exponent: Buffer): Buffer => {
      const pair = tlv(0x30, Buffer.concat([tlv(0x02, Buffer.concat([Buffer.of(0), Buffer.alloc(bytes, 0xc3)])), tlv(0x02, exponent)]));
      return tlv(0x30, Buffer.concat([Buffer.from('300d06092a864886f70d0101010500', 'hex'), tlv(0x03, Buffer.concat([Buffer.of(0), pair]))]));
    };
    const usual = Buffer.from('010001', 'hex');
    expect(read(rsa(512, usual))).toMatchObject({ weak: null, name: 'rsa:4096' });
    expect(read(rsa(513, usual))).toMatchObject({ key: null, weak: expect.stringContaining('at most 4096') });
    expect(read(rsa(8000, usual))).toMatchObject({ key: null, weak: expect.stringContaining('at most 4096') });
    for (const exponent of [Buffer.of(1), Buffer.of(4), Buffer.alloc(256, 0x7f)]) expect(read(rsa(256, exponent))).toMatchObject({ key: null, weak: expect.stringContaining('exponent') });
  });

  it('is too weak below 2048 bits', () => {
    expect(read(spkiOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey))).toMatchObject({ key: null, name: 'rsa:1024', weak: expect.stringContaining('2048 are needed') });
  });
});
