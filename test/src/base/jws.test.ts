import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toB64u } from '../../../src/base/bytes.js';
import { canonical, type Json } from '../../../src/base/json.js';
import { signJws, signerOf, splitJws, thumbprint, verifyJws, verifyKey } from '../../../src/base/jws.js';
import { codeOf } from '../../support/fault.js';
import { SIGNERS, STRANGER } from '../../support/keys.js';

const signer = SIGNERS.user;
const key = verifyKey(signer.jwk).key;
const token = signJws(signer, { typ: 'x' }, { a: 1 });
const [head = '', body = '', signature = ''] = token.split('.');
const header = (members: { [name: string]: Json }): string => `${toB64u(Buffer.from(canonical(members)))}.${body}.${signature}`;

describe('a compact JWS', () => {
  it('verifies under the key that signed it, and says its kid and typ', () => {
    const jws = splitJws(token);
    expect(verifyJws(jws, key)).toBe(true);
    expect(jws).toMatchObject({ kid: 'k-test', typ: 'x' });
    expect(jws.payload.toString()).toBe('{"a":1}');
  });

  it('verifies under no other key', () => expect(verifyJws(splitJws(token), verifyKey(STRANGER.jwk).key)).toBe(false));

  it('verifies with no byte of header, payload or signature changed', () => {
    const change = (text: string): string => `${text[0] === 'A' ? 'B' : 'A'}${text.slice(1)}`;
    expect(verifyJws(splitJws(`${head}.${change(body)}.${signature}`), key)).toBe(false);
    expect(verifyJws(splitJws(`${head}.${body}.${change(signature)}`), key)).toBe(false);
    expect(verifyJws(splitJws(header({ alg: 'ES256', kid: 'k-test', typ: 'y' })), key)).toBe(false);
  });

  it('never verifies with a signature of zeros (CVE-2022-21449)', () => {
    expect(verifyJws(splitJws(`${head}.${body}.${toB64u(new Uint8Array(64))}`), key)).toBe(false);
  });

  const REFUSED: [string, string][] = [
    ['alg none', header({ alg: 'none', typ: 'x' })],
    ['alg HS256 with the public key as secret', header({ alg: 'HS256', typ: 'x' })],
    ['alg in another case', header({ alg: 'es256', typ: 'x' })],
    ['no alg', header({ typ: 'x' })],
    ['no typ', header({ alg: 'ES256' })],
    ['a critical extension', header({ alg: 'ES256', typ: 'x', crit: ['b64'] })],
    ['a header that is a list', `${toB64u(Buffer.from('[]'))}.${body}.${signature}`],
    ['two parts', `${head}.${body}`],
    ['four parts', `${token}.x`],
    ['an empty signature', `${head}.${body}.`],
    ['a signature in DER', `${head}.${body}.${toB64u(new Uint8Array(70))}`],
    ['padding', `${head}.${body}.${signature}==`],
    ['a second spelling of its signature', `${head}.${body}.${signature.slice(0, -1)}${signature.at(-1) === 'B' ? 'C' : 'B'}`],
    ['nothing', ''],
  ];
  it.each(REFUSED)('is refused with %s', (_, text) => expect(codeOf(() => splitJws(text))).toBe('token.malformed'));

  it('is refused with a header that names a member twice', () => {
    const twice = `${toB64u(Buffer.from('{"alg":"none","alg":"ES256","typ":"x"}'))}.${body}.${signature}`;
    expect(codeOf(() => splitJws(twice))).toBe('intake.json_ambiguous');
  });
});

describe('a key', () => {
  it('is named by its RFC 7638 thumbprint', () => {
    const jwk = { kty: 'EC', crv: 'P-256', x: 'c09-Eo2PvuO6VrfzLAxTZXBa3ZWkBaa0pR2jcOYKlwA', y: signer.jwk.y } as const;
    expect(thumbprint(jwk)).toBe(thumbprint({ y: jwk.y, x: jwk.x, crv: jwk.crv, kty: jwk.kty }));
    expect(thumbprint(signer.jwk)).not.toBe(thumbprint(STRANGER.jwk));
  });

  it('that is no point of the curve is refused', () => expect(codeOf(() => verifyKey({ ...signer.jwk, y: signer.jwk.x }))).toBe('token.malformed'));

  it('of another curve signs nothing here', () => {
    expect(() => signerOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toThrow(TypeError);
    expect(() => signerOf(generateKeyPairSync('ed25519').privateKey)).toThrow(TypeError);
  });
});
