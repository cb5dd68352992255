import { describe, expect, it } from 'vitest';
import { digest, toB64u } from '../../../src/base/bytes.js';
import { canonical } from '../../../src/base/json.js';
import { thumbprint, verifyKey } from '../../../src/base/jws.js';
import { encode } from '../../../src/base/shape.js';
import { consentChallenge, type UserAssertion, verifyAssertion } from '../../../src/objects/assertion.js';
import { confirmation as shape } from '../../../src/objects/decision.js';
import { confirmation as terms } from '../../support/examples.js';
import { codeOf } from '../../support/fault.js';
import { type Made, ORIGIN, Passkey } from '../../support/passkey.js';

const passkey = new Passkey((jwk) => `k-${thumbprint(jwk)}`);
const other = new Passkey((jwk) => `k-${thumbprint(jwk)}`);
const key = verifyKey(passkey.jwk);
const challenge = consentChallenge(terms);
const check = (made: Made = {}, origins?: string[]) => codeOf(() => verifyAssertion(passkey.sign(challenge, made), key, challenge, origins));

describe('the challenge of a confirmation', () => {
  it('is the hash of its own name and the terms', () => {
    expect(challenge).toEqual(digest(`ari-consent-1\0${canonical(encode(shape, terms))}`));
    expect(consentChallenge({ ...terms, amount: { ...terms.amount, amount: terms.amount.amount + 1n } })).not.toEqual(challenge);
  });
});

describe('an assertion of a passkey', () => {
  it('is taken, with its counter', () => {
    expect(verifyAssertion(passkey.sign(challenge, { counter: 7 }), key, challenge, [ORIGIN])).toBe(7);
    expect(check({ flags: 0x1d })).toBeNull();
    expect(check({ flags: 0x85, more: Buffer.from('a0', 'hex') })).toBeNull();
    expect(check({ client: { origin: 'https://pay.example:8443' } })).toBeNull();
    expect(check({ client: { 'a browser may add': 'what it likes' } })).toBeNull();
  });

  it.each<[string, Made]>([
    ['over other terms', { client: { challenge: toB64u(digest('other')) } }],
    ['over no canonical challenge', { client: { challenge: `${toB64u(challenge).slice(0, -1)}=` } }],
    ['made for a registration', { client: { type: 'webauthn.create' } }],
    ['made on the page of a phisher', { client: { origin: 'https://pay.example.evil.example' } }],
    ['made on a page that only ends like ours', { client: { origin: 'https://evilpay.example' } }],
    ['made on a page without TLS', { client: { origin: 'http://wallet.pay.example' } }],
    ['made inside a foreign page', { client: { crossOrigin: true } }],
    ['made below a foreign page', { client: { topOrigin: 'https://evil.example' } }],
    ['for another relying party', { rp: 'evil.example' }],
    ['of a user who was not verified', { flags: 0x01 }],
    ['of a user who was not present', { flags: 0x04 }],
    ['backed up, though it cannot be', { flags: 0x15 }],
    ['with a credential inside', { flags: 0x45 }],
    ['with more bytes than it says', { more: Buffer.from('a0', 'hex') }],
    ['with fewer bytes than it says', { flags: 0x85 }],
    ['signed with another key', { key: other }],
  ])('%s is refused', (_, made) => {
    expect(check(made)).toBe('confirm.assertion');
  });

  it('made on a page of the relying party that may not ask is refused, where the pages are known', () => {
    expect(check({}, ['https://other.pay.example'])).toBe('confirm.assertion');
  });

  it('of which any bit is changed is refused', () => {
    const honest = passkey.sign(challenge);
    for (const part of ['clientData', 'authenticatorData', 'signature'] as const) {
      const bytes = Buffer.from(honest[part], 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit += 3) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const changed: UserAssertion = { ...honest, [part]: toB64u(flipped) };
        expect(codeOf(() => verifyAssertion(changed, key, challenge)), `${part} ${bit}`).not.toBeNull();
      }
    }
  });

  it('that is no JSON, or says a thing twice, is refused', () => {
    for (const text of ['', '[]', 'null', '{"type":"webauthn.get","type":"webauthn.get"}']) {
      expect(codeOf(() => verifyAssertion({ ...passkey.sign(challenge), clientData: toB64u(Buffer.from(text)) }, key, challenge))).not.toBeNull();
    }
  });
});
