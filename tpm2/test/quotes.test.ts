import { describe, expect, it } from 'vitest';
import { Attest, decode, encode, nameOf, Public, publicKeyOf, Signature, verifySignature } from '../src/index.js';
import { hex, vectors } from './support/vectors.js';

interface Case {
  id: string; expect: string; ak: { public: string; name: string }; attest: string; signature: string;
  checks: { decodes: boolean; signature: boolean; magic: boolean; type: boolean; nonce: boolean }; given: { nonce: string };
}
const cases = vectors<{ cases: Case[] }>('quotes.json')?.cases ?? [];

describe.skipIf(cases.length === 0)('foreign quotes, good and bad', () => {
  it.each(cases)('$id: structure, nonce and signature come out as an independent decoder and verifier found them', ({ ak, attest, signature, checks, given, id }) => {
    const bytes = hex(attest);
    const area = decode(Public, hex(ak.public).subarray(2));
    if (checks.decodes && checks.magic) {
      const value = decode(Attest, bytes);
      expect(encode(Attest, value).equals(bytes)).toBe(true);
      expect(value.type === 'quote').toBe(checks.type);
      expect(value.extraData.toString('hex') === given.nonce).toBe(checks.nonce);
    } else {
      expect(() => decode(Attest, bytes)).toThrow();
    }
    expect(nameOf(area).toString('hex') === ak.name || id.startsWith('n')).toBe(true);
    const scheme = schemeOf(area);
    const sig = decodeSignature(signature);
    if (scheme !== null) expect(sig !== null && verifySignature(publicKeyOf(area), bytes, sig, { ...scheme, hash: hashOf(sig) }), id).toBe(checks.signature);
  });
});

function schemeOf(area: Public): { sigAlg: 'ecdsa' | 'rsassa' | 'rsapss' } | null {
  const scheme = area.type === 'rsa' || area.type === 'ecc' ? area.parameters.scheme.scheme : 'null';
  return scheme === 'ecdsa' || scheme === 'rsassa' || scheme === 'rsapss' ? { sigAlg: scheme } : null;
}

function decodeSignature(text: string): Signature | null {
  try {
    return decode(Signature, hex(text));
  } catch {
    return null;
  }
}

function hashOf(signature: Signature): 'sha1' | 'sha256' | 'sha384' | 'sha512' {
  return 'hash' in signature ? (signature.hash as 'sha256') : 'sha256';
}
