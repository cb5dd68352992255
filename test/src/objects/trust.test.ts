import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/base/shape.js';
import { parseTrust, type TrustFile, trustFile, trustOf } from '../../../src/objects/trust.js';
import { codeOf } from '../../support/fault.js';
import { KEYS_FILE, LOG, OWNERS, PARTIES } from '../../support/parties.js';

const [first] = KEYS_FILE.keys;
const withKey = (change: Partial<TrustFile['keys'][number]>): TrustFile => ({ ...KEYS_FILE, keys: [{ ...first!, ...change }] });

describe('a keys file', () => {
  it('finds a key by its role and name only', () => {
    const trust = parseTrust(JSON.stringify(encode(trustFile, KEYS_FILE)));
    const { kid } = PARTIES.verifier;
    expect(trust.keys('verifier', kid)?.jwk).toEqual(PARTIES.verifier.jwk);
    expect(trust.keys('carrier', kid)).toBeUndefined();
    expect(trust.keys('verifier', PARTIES.carrier.kid)).toBeUndefined();
    expect(trust.owner(PARTIES.carrier.kid)).toBe(OWNERS.carrier);
    expect(trust.owner('v-unknown')).toBeUndefined();
    expect(trust.logs).toEqual([LOG.vkey]);
  });

  it('is a JWK Set that any JOSE library reads', () => {
    expect(encode(trustFile, KEYS_FILE)).toMatchObject({ keys: [{ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256', kid: PARTIES.verifier.kid, ari_role: 'verifier' }, {}, {}, {}, {}, {}] });
  });

  it.each([
    ['a name that belongs to another role', withKey({ kid: 'f-1' })],
    ['a point that is not on the curve', withKey({ x: 'A'.repeat(43) })],
    ['one name for two keys', { ...KEYS_FILE, keys: [first!, first!] }],
  ])('is refused with %s', (_, file) => {
    expect(codeOf(() => trustOf(file))).toBe('config.invalid');
  });

  it('is refused with a log key that is none, a private part, or a member that is not known', () => {
    expect(codeOf(() => trustOf({ ...KEYS_FILE, ariLogs: ['log.example+00000000+AAAA'] }))).toBe('deposit.malformed');
    const wire = encode(trustFile, KEYS_FILE) as { keys: object[] };
    expect(codeOf(() => parseTrust(JSON.stringify({ ...wire, keys: [{ ...wire.keys[0], d: 'A'.repeat(43) }] })))).toBe('intake.malformed');
    expect(codeOf(() => parseTrust(JSON.stringify({ ...wire, ari_policies: [] })))).toBe('intake.malformed');
  });
});
