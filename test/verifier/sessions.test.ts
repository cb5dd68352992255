/** A user who has only a passkey sees what is hers: the passkey opens a session, in which a key of the page proves each request. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/base/shape.js';
import type { Signer } from '../../src/base/jws.js';
import { consentChallenge, userAssertion } from '../../src/objects/assertion.js';
import { proofOf, sessionChallenge, sessionTerms, type SessionTerms } from '../../src/objects/request.js';
import { kidOf } from '../../verifier/keys.js';
import { type Made, ORIGIN, Passkey, RP } from '../support/passkey.js';
import { confirmation } from '../support/examples.js';
import { freshId, TestService, withKid } from './support/service.js';

let service: TestService;
let userId: string;
let clockMs = 0;
const passkey = new Passkey((jwk) => kidOf('user', jwk));
const page = withKid('user', 'the key of her page');
beforeAll(async () => {
  service = await new TestService({ toml: `[passkeys]\nrp_id = "${RP}"\norigins = ["${ORIGIN}"]\n` }).start({ now: () => Date.now() + clockMs });
  userId = (await service.post('/v1/delegation/users', { kind: 'person' })).user_id;
  await service.post(`/v1/delegation/users/${userId}/keys`, { jwk: { ...passkey.jwk }, passkey: true });
});
afterAll(() => service.stop());

const nowS = (): number => Math.floor((Date.now() + clockMs) / 1000);
const termsOf = (changes: Partial<SessionTerms> = {}): SessionTerms => ({ jti: freshId('evt'), sub: userId, iat: nowS(), exp: nowS() + 600, jwk: page.jwk, ...changes });
const begin = (terms: SessionTerms, made: Made & { challenge?: Buffer } = {}) =>
  service.call('POST', '/v1/trust/sessions', { body: { terms: encode(sessionTerms, terms), assertion: encode(userAssertion, passkey.sign(made.challenge ?? sessionChallenge(terms), made)) }, admin: false });
const keysOf = (session: string | undefined, signer: Signer = page, sub = userId) => {
  const path = `/v1/delegation/users/${sub}/keys`;
  const authorization = proofOf({ sub, method: 'GET', url: new URL(path, service.running.url).href }, { jti: freshId('evt'), iat: nowS() }, signer);
  return service.call('GET', path, { admin: false, headers: { authorization, ...(session === undefined ? {} : { 'ari-session': session }) } });
};

describe('a session', () => {
  it('lets the key of the page prove her requests, for as long as it says', async () => {
    const { status, body } = await begin(termsOf());
    expect(status).toBe(201);
    expect((await keysOf(body.session)).body.keys).toMatchObject([{ kid: passkey.kid }]);
    expect([(await keysOf(undefined)).status, (await keysOf(body.session, withKid('user', 'a thief of the session'))).status]).toEqual([401, 401]);
    clockMs += 601_000;
    expect((await keysOf(body.session)).status).toBe(401);
    clockMs = 0;
  });

  it('of one user opens nothing of another', async () => {
    const { session } = (await begin(termsOf())).body;
    const other = await service.user('another');
    expect((await keysOf(session, page, other.userId)).status).toBe(401);
    expect((await keysOf(session, other.signer, other.userId)).status).toBe(401);
  });

  it.each<[string, () => ReturnType<typeof begin>, string]>([
    ['for other terms than were shown', () => begin(termsOf(), { challenge: sessionChallenge(termsOf()) }), 'confirm.assertion'],
    ['with her consent to a payment', () => begin(termsOf(), { challenge: consentChallenge(confirmation) }), 'confirm.assertion'],
    ['on a foreign page', () => begin(termsOf(), { client: { origin: 'https://evil.example' } }), 'confirm.assertion'],
    ['by another passkey', () => begin(termsOf(), { key: new Passkey((jwk) => kidOf('user', jwk)) }), 'confirm.assertion'],
    ['in the name of another user', async () => begin(termsOf({ sub: (await service.user('victim')).userId })), 'confirm.signature'],
    ['for longer than a session lives', () => begin(termsOf({ exp: nowS() + 3600 })), 'token.time'],
    ['of yesterday', () => begin(termsOf({ iat: nowS() - 90_000, exp: nowS() - 89_400 })), 'token.time'],
  ])('%s is not opened', async (_, run, code) => {
    expect((await run()).body.code).toBe(code);
  });

  it('ends with its passkey', async () => {
    const { session } = (await begin(termsOf())).body;
    expect((await keysOf(session)).status).toBe(200);
    await service.post(`/v1/delegation/users/${userId}/keys/${passkey.kid}/revoke`, {});
    expect((await keysOf(session)).status).toBe(401);
  });
});
