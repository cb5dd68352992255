import { describe, expect, it } from 'vitest';
import { decode, encode, kdfA, kdfE, makeCredential, Public, publicFromKey, publicKeyOf, templates } from '../src/index.js';
import { hex, vectors } from './support/vectors.js';

interface Case {
  id: string; ekPublic: string; akName: string; secret: string; credentialBlob: string; encryptedSecret: string; expect: string;
  seed?: string; storageKey?: string; integrityKey?: string; ephemeralPrivate?: string; made: string;
}
const cases = (vectors<Case[]>('credentials.json') ?? []).filter((row) => row.expect === 'accept' && row.seed !== undefined && row.made.startsWith('made by hand'));
const contents = (sized: string): string => sized.slice(4);

describe.skipIf(cases.length === 0)('makeCredential agrees with credentials that a TPM opened', () => {
  it.each(cases)('$id', ({ ekPublic, akName, secret, seed, ephemeralPrivate, credentialBlob, encryptedSecret }) => {
    const ek = decode(Public, hex(contents(ekPublic)));
    const made = makeCredential({ ekPublic: ek, akName: hex(akName), secret: hex(secret), ...(ek.type === 'ecc' ? { ephemeral: hex(ephemeralPrivate ?? '') } : { seed: hex(seed ?? '') }) });
    expect(made.credentialBlob.toString('hex')).toBe(contents(credentialBlob));
    if (ek.type === 'ecc') expect(made.encryptedSecret.toString('hex')).toBe(contents(encryptedSecret));
    else expect(made.encryptedSecret).toHaveLength(256);
  });

  it.each(cases)('$id: the keys between', ({ ekPublic, akName, seed, storageKey, integrityKey }) => {
    const ek = decode(Public, hex(contents(ekPublic)));
    const hash = ek.nameAlg as 'sha256' | 'sha384';
    if (storageKey !== undefined) expect(kdfA(hash, hex(seed ?? ''), 'STORAGE', hex(akName), Buffer.alloc(0), storageKey.length * 4).toString('hex')).toBe(storageKey);
    if (integrityKey !== undefined) expect(kdfA(hash, hex(seed ?? ''), 'INTEGRITY', Buffer.alloc(0), Buffer.alloc(0), integrityKey.length * 4).toString('hex')).toBe(integrityKey);
  });

  it.each(cases)('$id: the EK is its template but for the public numbers', ({ ekPublic, id }) => {
    const bytes = hex(contents(ekPublic));
    const ek = decode(Public, bytes);
    const template = ek.type === 'rsa' ? templates.ekRsa2048 : ek.nameAlg === 'sha384' ? templates.ekP384 : templates.ekP256;
    expect(encode(Public, publicFromKey(publicKeyOf(ek), template)).toString('hex'), id).toBe(bytes.toString('hex'));
  });
});

describe('makeCredential refuses', () => {
  const akName = Buffer.alloc(34, 1);
  it('an EK whose point is not on the curve', () => {
    const ekPublic = { ...templates.ekP256, unique: { x: Buffer.alloc(32, 1), y: Buffer.alloc(32, 1) } };
    expect(() => makeCredential({ ekPublic, akName, secret: Buffer.alloc(32) })).toThrow('not on the curve');
  });
  it('a secret longer than the digest of the nameAlg', () => {
    expect(() => makeCredential({ ekPublic: templates.ekP256, akName, secret: Buffer.alloc(33) })).toThrow(RangeError);
  });
  it('a signing key in place of an EK', () => {
    expect(() => makeCredential({ ekPublic: templates.akP256, akName, secret: Buffer.alloc(32) })).toThrow(TypeError);
  });
});

describe('key derivation', () => {
  it('KDFa gives the asked length, with the bits above it cleared, and the counter matters', () => {
    const out = kdfA('sha256', Buffer.from('key'), 'LABEL', Buffer.of(1), Buffer.of(2), 512);
    expect(out).toHaveLength(64);
    expect(out.subarray(0, 32).equals(out.subarray(32))).toBe(false);
    expect(kdfA('sha256', Buffer.alloc(0), 'X', Buffer.alloc(0), Buffer.alloc(0), 12)[0]! >> 4).toBe(0);
  });
  it('KDFe is the hash of counter, z, use and parties', () => {
    expect(kdfE('sha256', Buffer.alloc(32), 'IDENTITY', Buffer.alloc(32), Buffer.alloc(32), 256)).toHaveLength(32);
  });
});
