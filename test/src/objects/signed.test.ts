import { describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { canonical } from '../../../src/base/json.js';
import { signJws, verifyKey } from '../../../src/base/jws.js';
import { encode } from '../../../src/base/shape.js';
import { CARRIER, CARRIER_REQUEST, carrier as carrierShape, carrierRequest as carrierRequestShape } from '../../../src/objects/carrier.js';
import { assertLive, open, seal, tokenHash } from '../../../src/objects/signed.js';
import { NOW, carrier, carrierRequest } from '../../support/examples.js';
import { codeOf } from '../../support/fault.js';
import { SIGNERS, STRANGER, keys } from '../../support/keys.js';

const token = seal(CARRIER, carrier, SIGNERS.carrier);
const wire = encode(carrierShape, carrier) as { [name: string]: never };
const typ = CARRIER.typ;

describe('a signed object', () => {
  it('opens to its value, its token and the key that signed it', () => {
    expect(open(CARRIER, token, keys)).toMatchObject({ value: carrier, token, sha256: sha256(token), signer: { kid: 'f-test' } });
    expect(tokenHash(token)).toBe(sha256(token));
  });

  it.each([
    ['by a key that nobody knows', seal(CARRIER, carrier, STRANGER), 'token.signature'],
    ['by a trusted key of another role', seal(CARRIER, carrier, SIGNERS.verifier), 'token.signature'],
    ['by a stranger under a known kid', seal(CARRIER, carrier, { ...STRANGER, kid: 'f-test' }), 'token.signature'],
    ['as another kind', seal(CARRIER_REQUEST, carrierRequest, SIGNERS.carrier), 'token.malformed'],
    ['with another payload', token.replace(token.split('.')[1]!, toB64u(Buffer.from(canonical({ ...wire, rev: 4 })))), 'token.signature'],
    ['with a member that is unknown', signJws(SIGNERS.carrier, { typ }, { ...wire, more: 1 }), 'intake.malformed'],
    ['with a payload that is no object', signJws(SIGNERS.carrier, { typ }, []), 'intake.malformed'],
    ['without a kid', seal(CARRIER, carrier, { ...SIGNERS.carrier, kid: '' }), 'token.signature'],
  ])('is refused when it was signed %s', (_, text, code) => expect(codeOf(() => open(CARRIER, text, keys))).toBe(code));
});

describe('a signed object that was opened before', () => {
  const under = (signer: typeof STRANGER): typeof keys => (role, kid) => (role === 'carrier' && kid === 'f-test' ? verifyKey(signer.jwk, 'f-test') : undefined);

  it('opens to the same value, which nobody can change for the others', () => {
    const { value } = open(CARRIER, token, keys);
    expect(open(CARRIER, token, keys).value).toBe(value);
    expect(() => { value.rules.payees.push({ id: 'thief', origin: null, scenario: 'gift' }); }).toThrow(TypeError);
    expect(() => { value.state = 'frozen'; }).toThrow(TypeError);
  });

  it.each([
    ['its key is trusted no more', CARRIER, () => undefined, 'token.signature'],
    ['another key has its name now', CARRIER, under(STRANGER), 'token.signature'],
    ['it is taken for another kind', CARRIER_REQUEST as never, keys, 'token.malformed'],
    ['it is taken for another kind of the same type and role', { ...CARRIER, shape: carrierRequestShape } as never, keys, 'intake.malformed'],
  ])('is refused when %s', (_, kind, now, code) => {
    open(CARRIER, token, keys);
    expect(codeOf(() => open(kind, token, now))).toBe(code);
  });
});

describe('the life of a token', () => {
  const live = (life: object, now = NOW) => codeOf(() => assertLive(CARRIER, life, now));
  it('begins at nbf, or at iat, and ends at exp; clocks may differ by five seconds', () => {
    expect(live({ nbf: NOW, exp: NOW + 1 })).toBeNull();
    expect(live({ nbf: NOW + 5 })).toBeNull();
    expect(live({ nbf: NOW + 6 })).toBe('token.time');
    expect(live({ iat: NOW + 6 })).toBe('token.time');
    expect(live({ iat: NOW - 9, exp: NOW - 4 })).toBeNull();
    expect(live({ iat: NOW - 9, exp: NOW - 5 })).toBe('token.time');
    expect(live({})).toBeNull();
  });
});
