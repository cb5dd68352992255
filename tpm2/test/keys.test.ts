import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { algOf, handleType, matchesTemplate, nameOf, nvNameOf, p1363Of, publicFromKey, publicKeyOf, qualifiedName, registerPublic, RH, type Signature, templates, verifySignature, WireError, written, policies } from '../src/index.js';

const message = Buffer.from('what was signed');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const raw = sign('sha256', message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
const ecdsa: Signature = { sigAlg: 'ecdsa', hash: 'sha256', signatureR: raw.subarray(0, 32), signatureS: raw.subarray(32) };
const rsassa: Signature = { sigAlg: 'rsassa', hash: 'sha256', sig: sign('sha256', message, rsa.privateKey) };
const scheme = { sigAlg: 'ecdsa', hash: 'sha256' } as const;

describe('verifySignature', () => {
  it('takes a genuine signature, with leading zeros too many or left out', () => {
    expect(verifySignature(ec.publicKey, message, ecdsa, scheme)).toBe(true);
    expect(verifySignature(ec.publicKey, message, { ...ecdsa, signatureR: Buffer.concat([Buffer.alloc(2), ecdsa.signatureR]) }, scheme)).toBe(true);
    expect(verifySignature(rsa.publicKey, message, rsassa, { sigAlg: 'rsassa', hash: 'sha256' })).toBe(true);
  });
  it('finds signatures whose numbers have leading zero bytes left out', () => {
    for (let i = 0; i < 2000; i++) {
      const bytes = sign('sha256', Buffer.from(String(i)), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
      if (bytes[0] !== 0) continue;
      expect(verifySignature(ec.publicKey, Buffer.from(String(i)), { ...ecdsa, signatureR: bytes.subarray(1, 32), signatureS: bytes.subarray(32) }, scheme)).toBe(true);
      return;
    }
  });
  it.each([
    ['another message', () => verifySignature(ec.publicKey, Buffer.from('other'), ecdsa, scheme)],
    ['another hash than the caller asked for', () => verifySignature(ec.publicKey, message, ecdsa, { sigAlg: 'ecdsa', hash: 'sha384' })],
    ['another scheme than the caller asked for', () => verifySignature(rsa.publicKey, message, rsassa, { sigAlg: 'rsapss', hash: 'sha256' })],
    ['a signature that claims another scheme', () => verifySignature(rsa.publicKey, message, { ...rsassa, sigAlg: 'rsapss' }, { sigAlg: 'rsapss', hash: 'sha256' })],
    ['a key of another type', () => verifySignature(rsa.publicKey, message, ecdsa, scheme)],
    ['an RSA signature under an EC key', () => verifySignature(ec.publicKey, message, rsassa, { sigAlg: 'rsassa', hash: 'sha256' })],
    ['a number longer than the field', () => verifySignature(ec.publicKey, message, { ...ecdsa, signatureR: Buffer.concat([Buffer.of(1), ecdsa.signatureR]) }, scheme)],
    ['zeros', () => verifySignature(ec.publicKey, message, { ...ecdsa, signatureR: Buffer.alloc(32), signatureS: Buffer.alloc(32) }, scheme)],
    ['empty numbers', () => verifySignature(ec.publicKey, message, { ...ecdsa, signatureR: Buffer.alloc(0), signatureS: Buffer.alloc(0) }, scheme)],
    ['no signature', () => verifySignature(ec.publicKey, message, { sigAlg: 'null' }, scheme)],
    ['an HMAC', () => verifySignature(ec.publicKey, message, { sigAlg: 'hmac', hashAlg: 'sha256', digest: Buffer.alloc(32) }, scheme)],
  ])('refuses %s', (_, verdict) => {
    expect(verdict()).toBe(false);
  });
  it('refuses every single-bit flip', () => {
    for (let bit = 0; bit < 512; bit++) {
      const flipped = Buffer.from(raw);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifySignature(ec.publicKey, message, { ...ecdsa, signatureR: flipped.subarray(0, 32), signatureS: flipped.subarray(32) }, scheme)).toBe(false);
    }
  });
});

describe('keys', () => {
  it('go from a public area to node:crypto and back', () => {
    for (const [key, template] of [[ec.publicKey, templates.akP256], [rsa.publicKey, templates.akRsa2048]] as const) {
      expect(publicKeyOf(publicFromKey(key, template)).equals(key)).toBe(true);
    }
  });
  it('match their template in everything but the public numbers', () => {
    const ak = publicFromKey(ec.publicKey, templates.akP256);
    expect(matchesTemplate(ak, templates.akP256)).toBe(true);
    for (const bit of ['restricted', 'fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'sign', 'noDA', 'decrypt', 'x509sign'] as const) {
      expect(matchesTemplate({ ...ak, objectAttributes: { ...ak.objectAttributes, [bit]: !ak.objectAttributes[bit] } }, templates.akP256), bit).toBe(false);
    }
    expect(matchesTemplate({ ...ak, authPolicy: policies.PolA }, templates.akP256)).toBe(false);
    expect(matchesTemplate(publicFromKey(rsa.publicKey, templates.akRsa2048), templates.akP256)).toBe(false);
  });
  it('that do not fit are refused', () => {
    expect(() => publicFromKey(rsa.publicKey, templates.akP256)).toThrow(TypeError);
    expect(() => publicFromKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey, templates.akP256)).toThrow(TypeError);
    expect(() => publicKeyOf({ ...templates.akP256, unique: { x: Buffer.alloc(32, 1), y: Buffer.alloc(32, 1) } })).toThrow('not on the curve');
    expect(() => publicKeyOf({ ...templates.akP256, unique: { x: Buffer.alloc(33, 1), y: Buffer.alloc(32, 1) } })).toThrow(TypeError);
    expect(() => publicKeyOf({ ...templates.akP256, parameters: { ...templates.akP256.parameters, curveID: 'bn256' } })).toThrow('not supported');
  });
  it('p1363Of is what JOSE takes', () => {
    expect(p1363Of(ecdsa, 32).equals(raw)).toBe(true);
    expect(() => p1363Of(rsassa, 32)).toThrow(TypeError);
    expect(() => p1363Of(ecdsa, 20)).toThrow(TypeError);
  });
});

describe('names', () => {
  it('begin with their hash algorithm and follow the public area', () => {
    expect(nameOf(templates.akP256).subarray(0, 2).toString('hex')).toBe('000b');
    expect(nameOf(templates.ekP384)).toHaveLength(50);
    expect(nameOf({ ...templates.akP256, nameAlg: 'null' })).toHaveLength(0);
    const register = registerPublic(0x01d10300, policies.PolA);
    expect(nvNameOf(register).equals(nvNameOf(written(register)))).toBe(false);
  });
  it('qualify step by step or at once', () => {
    const [ek, ak] = [nameOf(templates.ekP384), nameOf(templates.akP256)];
    const step = qualifiedName(RH.ENDORSEMENT, ek);
    expect(step).toHaveLength(50); // by the EK's own nameAlg
    expect(qualifiedName(RH.ENDORSEMENT, ek, ak).equals(qualifiedName(step, ak))).toBe(true);
    expect(qualifiedName(RH.OWNER, ek, ak).equals(qualifiedName(RH.ENDORSEMENT, ek, ak))).toBe(false);
  });
  it('that are none are refused', () => {
    expect(() => algOf(Buffer.from('ffff00', 'hex'))).toThrow(WireError);
    expect(() => qualifiedName(RH.ENDORSEMENT, Buffer.alloc(0))).toThrow(WireError);
  });
  it('handles tell what they are', () => {
    expect([0x81010001, 0x80000000, 0x01c00002, RH.OWNER, 0x03000000].map(handleType)).toEqual([0x81, 0x80, 0x01, 0x40, 0x03]);
  });
});
