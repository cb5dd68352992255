import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { type KeyObject, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PinnedRoot, parseCertificate, pinRoots } from '../../attest/enrol/certificate.js';
import { EK_PURPOSE, checkChain } from '../../attest/enrol/chain.js';
import { cutCertificate, plainSpki } from '../../attest/enrol/der.js';
import { codeOf } from '../support/fault.js';

const NOW = 1_800_000_000;
const DAY = 86_400;
const at = (s: number): Date => new Date(s * 1000);
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { KeyUsageFlags: usage } = x509;
type Keys = webcrypto.CryptoKeyPair;
interface Party { name: string; keys: Keys }
interface Draft { subject: Party; issuer: Party; extensions?: x509.Extension[]; from?: number; to?: number; hash?: string }

const newKeys = (): Promise<Keys> => webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']) as Promise<Keys>;
const ca = (pathLength?: number): x509.Extension[] => [new x509.BasicConstraintsExtension(true, pathLength, true), new x509.KeyUsagesExtension(usage.keyCertSign, true)];
const ek = (...more: x509.Extension[]): x509.Extension[] => [new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.keyAgreement, true), ...more];
const unknownCritical = new x509.Extension('1.2.3.4.5', true, Buffer.from('0500', 'hex'));

let serial = 1;
async function issue({ subject, issuer, extensions = ek(), from = NOW - DAY, to = NOW + DAY, hash = 'SHA-256' }: Draft): Promise<Buffer> {
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(2, '0'), subject: subject.name, issuer: issuer.name, notBefore: at(from), notAfter: at(to), signingAlgorithm: { ...ECDSA, hash },
    publicKey: subject.keys.publicKey, signingKey: issuer.keys.privateKey, extensions,
  }, webcrypto as never);
  return Buffer.from(certificate.rawData);
}

let root: Party;
let middle: Party;
let low: Party;
let chip: Party;
let anchor: PinnedRoot;
let middleDer: Buffer;
const party = async (name: string): Promise<Party> => ({ name, keys: await newKeys() });
const pin = (der: Buffer, simulated = false): PinnedRoot => ({ certificate: parseCertificate(der), simulated });

beforeAll(async () => {
  [root, middle, low, chip] = (await Promise.all([party('CN=Maker root'), party('CN=Maker issuing'), party('CN=Maker plant'), party('CN=TPM')])) as [Party, Party, Party, Party];
  anchor = pin(await issue({ subject: root, issuer: root, extensions: ca() }));
  middleDer = await issue({ subject: middle, issuer: root, extensions: ca(0) });
});

function verdict(leaf: Buffer, chain: readonly Buffer[] = [middleDer], roots: readonly PinnedRoot[] = [anchor], nowS = NOW): string {
  let found = 'accepted';
  const code = codeOf(() => {
    try {
      checkChain(parseCertificate(leaf), chain.map(parseCertificate), roots, nowS);
    } catch (error) {
      found = (error as Error).message;
      throw error;
    }
  });
  return code === null ? found : `${code}: ${found}`;
}

describe('the chain of an endorsement certificate', () => {
  it('leads to a pinned root, directly or through authorities that the device sends', async () => {
    expect(verdict(await issue({ subject: chip, issuer: root }), [])).toBe('accepted');
    expect(verdict(await issue({ subject: chip, issuer: middle }))).toBe('accepted');
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: ek(new x509.ExtendedKeyUsageExtension([EK_PURPOSE])) }))).toBe('accepted');
  });

  it('may begin at a pinned issuing authority, which then is the root of the device', async () => {
    expect(verdict(await issue({ subject: chip, issuer: middle }), [], [pin(middleDer)])).toBe('accepted');
  });

  it('is marked by its root: below a test root every device is simulated', async () => {
    const leaf = parseCertificate(await issue({ subject: chip, issuer: root }));
    expect(checkChain(leaf, [], [{ ...anchor, simulated: true }], NOW).simulated).toBe(true);
    const [pem] = [`-----BEGIN CERTIFICATE-----\n${anchor.certificate.der.toString('base64')}\n-----END CERTIFICATE-----\n`];
    expect(pinRoots(`${pem}# a comment\n${pem}`, { simulated: true }).map(({ simulated, certificate }) => [simulated, certificate.subject])).toEqual([[true, 'CN=Maker root'], [true, 'CN=Maker root']]);
  });

  it('is refused without its root, and by a stranger under the same name', async () => {
    const stranger: Party = { name: root.name, keys: await newKeys() };
    expect(verdict(await issue({ subject: chip, issuer: middle }), [])).toMatch('no path leads to a pinned root');
    expect(verdict(await issue({ subject: chip, issuer: stranger }), [])).toMatch('no path leads to a pinned root');
    expect(verdict(await issue({ subject: chip, issuer: chip }), [])).toMatch('no path leads to a pinned root');
  });

  it('does not run in circles when authorities issue each other', async () => {
    const a = await issue({ subject: middle, issuer: low, extensions: ca() });
    const b = await issue({ subject: low, issuer: middle, extensions: ca() });
    expect(verdict(await issue({ subject: chip, issuer: middle }), [a, b, a, b])).toMatch('no path leads to a pinned root');
  });

  it('goes through authorities only: an issuer with CA=false, none or no right to sign certificates is refused', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    const below = async (extensions: x509.Extension[]) => verdict(leaf, [await issue({ subject: middle, issuer: root, extensions })]);
    expect(await below([new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.keyCertSign, true)])).toMatch('is no certificate authority');
    expect(await below([])).toMatch('is no certificate authority');
    expect(await below([new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(usage.digitalSignature, true)])).toMatch('may not sign certificates');
  });

  it('respects path lengths: an authority below one that may have none is refused', async () => {
    const lowDer = await issue({ subject: low, issuer: middle, extensions: ca() });
    expect(verdict(await issue({ subject: chip, issuer: low }), [middleDer, lowDer])).toMatch('may not have 1 authorities below it');
    const wide = await issue({ subject: middle, issuer: root, extensions: ca(1) });
    expect(verdict(await issue({ subject: chip, issuer: low }), [wide, lowDer])).toBe('accepted');
  });

  it('is valid now, each link of it', async () => {
    const leaf = await issue({ subject: chip, issuer: middle });
    expect(verdict(leaf, [middleDer], [anchor], NOW + 2 * DAY)).toMatch('"CN=TPM" is not valid at this time');
    expect(verdict(leaf, [middleDer], [anchor], NOW - 2 * DAY)).toMatch('is not valid at this time');
    expect(verdict(leaf, [await issue({ subject: middle, issuer: root, extensions: ca(), to: NOW - 1 })])).toMatch('"CN=Maker issuing" is not valid at this time');
    expect(verdict(leaf, [middleDer], [pin(await issue({ subject: root, issuer: root, extensions: ca(), from: NOW + 1 }))])).toMatch('"CN=Maker root" is not valid at this time');
  });

  it('holds no critical extension that is unknown here, but the SAN of a TPM', async () => {
    const san = new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: '2.23.133.2.1=id:00001014' }], true);
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: ek(san) }))).toBe('accepted');
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: ek(unknownCritical) }))).toMatch('critical extension that is unknown here (1.2.3.4.5)');
    expect(verdict(await issue({ subject: chip, issuer: middle }), [await issue({ subject: middle, issuer: root, extensions: [...ca(), unknownCritical] })])).toMatch('critical extension that is unknown here');
  });

  it('is signed over a hash that holds: SHA-1 is refused', async () => {
    expect(verdict(await issue({ subject: chip, issuer: middle, hash: 'SHA-1' }))).toMatch('is signed over SHA-1');
  });
});

describe('an endorsement certificate', () => {
  it.each([
    ['one of an authority', () => ca(), 'is one of an authority'],
    ['one for web servers', () => ek(new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1'])), 'is for another purpose'],
    ['one for signatures only', () => [new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.digitalSignature, true)], 'does not allow the use of an endorsement key'],
  ] as const)('is not %s', async (_, extensions, what) => {
    expect(verdict(await issue({ subject: chip, issuer: middle, extensions: [...extensions()] }))).toMatch(what);
  });

  it('is shown without control characters: what it says goes into messages and logs', async () => {
    const odd = await issue({ subject: { name: 'CN=TPM\u001b[2J\u0000', keys: chip.keys }, issuer: middle });
    expect(verdict(odd, [])).toMatch('no path leads to a pinned root');
    expect(parseCertificate(odd).subject).not.toMatch(/\p{Cc}/u);
  });

  it('names an extension once', async () => {
    expect(() => parseCertificate(Buffer.alloc(0))).toThrow('there is no certificate');
    const twice = await issue({ subject: chip, issuer: middle, extensions: ek(new x509.KeyUsagesExtension(usage.keyAgreement, true)) });
    expect(codeOf(() => parseCertificate(twice))).toBe('enrol.ek_chain');
  });
});

describe('certificate bytes out of NV memory', () => {
  let der: Buffer;
  beforeAll(async () => { der = await issue({ subject: chip, issuer: root }); });
  const cut = (bytes: Buffer): string => codeOf(() => cutCertificate(bytes)) ?? (cutCertificate(bytes).equals(der) ? 'the certificate' : 'something else');

  it('may be padded with 00 or FF, and may follow the header of a stored certificate', () => {
    for (const padding of [Buffer.alloc(0), Buffer.alloc(300), Buffer.alloc(300, 0xff)]) expect(cut(Buffer.concat([der, padding]))).toBe('the certificate');
    expect(cut(Buffer.concat([Buffer.from('10010001ff1002', 'hex'), der, Buffer.alloc(9, 0xff)]))).toBe('the certificate');
  });

  it('are nothing but one certificate: other bytes after it, mixed padding and a cut are refused', () => {
    for (const bytes of [Buffer.concat([der, der]), Buffer.concat([der, Buffer.of(0, 0xff)]), Buffer.concat([der, Buffer.of(1)]), der.subarray(0, -1), der.subarray(0, 3), Buffer.of(0x30)]) {
      expect(cut(bytes)).toBe('enrol.ek_chain');
    }
  });

  it('have a definite, minimal length', () => {
    for (const header of ['3080', '30820010', '3083000200', '308400000100']) expect(cut(Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(600)]))).toBe('enrol.ek_chain');
  });

  it('survive damage anywhere without a crash: each flipped bit is refused or breaks the signature', async () => {
    const leaf = await issue({ subject: chip, issuer: root });
    for (let i = 0; i < leaf.length; i += 3) {
      const bytes = Buffer.from(leaf);
      bytes[i]! ^= 1 << (i % 8);
      expect(verdict(bytes, [])).toMatch('enrol.ek_chain');
    }
  });
});

describe('the key of an endorsement certificate', () => {
  const spkiWith = (key: KeyObject, algorithm: string): Buffer => {
    const spki = key.export({ format: 'der', type: 'spki' });
    const old = Buffer.from('300d06092a864886f70d0101010500', 'hex');
    const at = spki.indexOf(old);
    const body = Buffer.concat([Buffer.from(algorithm, 'hex'), spki.subarray(at + old.length)]);
    return Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]), body]);
  };

  it.each([['id-RSAES-OAEP', '300d06092a864886f70d0101073000'], ['id-RSASSA-PSS', '300b06092a864886f70d01010a']])('is an RSA key also where the maker wrote %s', (_, algorithm) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = createPublicKey({ key: plainSpki(spkiWith(publicKey, algorithm)), format: 'der', type: 'spki' });
    expect(key.equals(publicKey)).toBe(true);
  });

  it('is left as it is otherwise', () => {
    const spki = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'der', type: 'spki' });
    expect(plainSpki(spki)).toEqual(spki);
  });
});
