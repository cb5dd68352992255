import { describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { type Json, canonical } from '../../src/base/json.js';
import { signJws, verifyKey } from '../../src/base/jws.js';
import { discloseAll } from '../../src/sdjwt/disclosure.js';
import { Refusal } from '../../src/sdjwt/refusal.js';
import { claimsOf, splitSdJwt } from '../../src/sdjwt/token.js';
import { SIGNERS } from '../support/keys.js';

const disclosure = (value: Json): string => toB64u(Buffer.from(canonical(value)));
const element = (value: Json): { text: string; reference: { '...': string } } => {
  const text = disclosure(['salt', value]);
  return { text, reference: { '...': sha256(text) } };
};
const member = (name: Json, value: Json): { text: string; digest: string } => {
  const text = disclosure(['salt', name, value]);
  return { text, digest: sha256(text) };
};

describe('disclosures (RFC 9901, 7.1)', () => {
  it('stand where their digests stood, in lists and objects, also inside each other', () => {
    const inner = element({ id: 1 });
    const named = member('city', 'Berlin');
    const outer = element({ list: [inner.reference, 2] });
    const payload = { a: [outer.reference, [3]], address: { street: 'x', _sd: [named.digest] } };
    expect(discloseAll(payload, [inner.text, named.text, outer.text])).toEqual({ a: [{ list: [{ id: 1 }, 2] }, [3]], address: { street: 'x', city: 'Berlin' } });
  });

  const one = element(1);
  const city = member('city', 'Berlin');
  const attacks: [string, { [name: string]: Json }, string[]][] = [
    ['a digest without its disclosure', { a: [one.reference] }, []],
    ['a disclosure without its digest', { a: [] }, [one.text]],
    ['a disclosure that stands twice', { a: [one.reference] }, [one.text, one.text]],
    ['a digest that stands twice', { a: [one.reference], b: [one.reference] }, [one.text]],
    ['a digest beside other members', { a: [{ ...one.reference, more: 1 }] }, [one.text]],
    ['a digest that is no text', { a: [{ '...': 1 }] }, []],
    ['the disclosure of a member for an element', { a: [{ '...': city.digest }] }, [city.text]],
    ['the disclosure of an element for a member', { _sd: [one.reference['...']] }, [one.text]],
    ['a member that stands openly too', { city: 'Paris', _sd: [city.digest] }, [city.text]],
    ['a member named _sd', { _sd: [member('_sd', []).digest] }, [member('_sd', []).text]],
    ['a member named ...', { _sd: [member('...', 1).digest] }, [member('...', 1).text]],
    ['a member named __proto__', { _sd: [member('__proto__', {}).digest] }, [member('__proto__', {}).text]],
    ['a member whose name is no text', { _sd: [member(7, 1).digest] }, [member(7, 1).text]],
    ['digests that are a number', { _sd: 7 }, []],
    ['digests that are no list', { _sd: city.digest }, [city.text]],
    ['a salt that is no text', { a: [{ '...': sha256(disclosure([1, 1])) }] }, [disclosure([1, 1])]],
    ['a disclosure that is no list', { a: [{ '...': sha256(disclosure({ 0: 'salt', 1: 1, length: 2 })) }] }, [disclosure({ 0: 'salt', 1: 1, length: 2 })]],
  ];
  it.each(attacks)('are refused with %s', (_, payload, texts) => expect(() => discloseAll(payload, texts)).toThrow(Refusal));
});

describe('an SD-JWT', () => {
  const key = verifyKey(SIGNERS.user.jwk).key;
  const claims = (payload: Json, disclosures = '') => claimsOf(splitSdJwt(`${signJws(SIGNERS.user, { typ: 'x' }, payload)}~${disclosures}`), 'x', key);

  it('gives its claims as signed and as disclosed', () => {
    const { text, reference } = element(1);
    expect(claims({ _sd_alg: 'sha-256', a: [reference] }, `${text}~`)).toEqual({ signed: { _sd_alg: 'sha-256', a: [reference] }, disclosed: { _sd_alg: 'sha-256', a: [1] } });
  });

  it.each([['no digest algorithm', {}], ['another digest algorithm', { _sd_alg: 'sha-512' }], ['a payload that is a list', []], ['a payload that is null', null]])('is refused with %s', (_, payload) => {
    expect(() => claims(payload)).toThrow(Refusal);
  });

  it('is refused with more disclosures than anything here has, before they are hashed', () => {
    expect(() => splitSdJwt(`${signJws(SIGNERS.user, { typ: 'x' }, {})}~${'x~'.repeat(65)}`)).toThrow(Refusal);
  });
});
