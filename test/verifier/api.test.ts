import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pino } from 'pino';
import { parseTrust } from '../../src/objects/trust.js';
import { openCheckpoint } from '../../src/deposit/checkpoint.js';
import { POLICY } from '../../src/objects/decision.js';
import { open, seal } from '../../src/objects/signed.js';
import { CARRIER, CARRIER_REQUEST, type CarrierRequest } from '../../src/objects/carrier.js';
import { ROUTES } from '../../verifier/api/routes.js';
import { AUTHORITIES } from '../../verifier/api/route.js';
import { apiServer } from '../../verifier/api/server.js';
import type { Verifier } from '../../verifier/context.js';
import { DEFAULT_POLICY } from '../../verifier/init.js';
import { loadKeys } from '../../verifier/keys.js';
import { rules } from '../support/examples.js';
import { freshId, TestService, withKid } from './support/service.js';

let service: TestService;
beforeAll(async () => { service = await new TestService().start(); });
afterAll(() => service.stop());
const call: TestService['call'] = (...args) => service.call(...args);

/** A path that fits a route. */
const concrete = (path: string): string => path.replace(/:[a-zA-Z]+/g, 'x');

describe('every route', () => {
  it('says who may call it', () => {
    for (const { authority } of ROUTES) expect(AUTHORITIES).toContain(authority);
    expect(ROUTES.filter(({ authority, method }) => authority === 'public' && method === 'POST')).toEqual([]);
  });

  it.each(ROUTES.filter(({ authority }) => authority === 'admin').map(({ method, path }) => [method, path]))('of the operator answers nobody else: %s %s', async (method, path) => {
    const body = method === 'POST' ? { body: {} } : {};
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: service.adminToken }, { authorization: `bearer ${service.adminToken}x` }]) {
      const answer = await call(method, concrete(path), { ...body, admin: false, headers: headers as Record<string, string> });
      expect([answer.status, answer.body.code]).toEqual([401, 'intake.unauthorised']);
    }
    expect((await call(method, concrete(path), body)).status).not.toBe(401);
  });

  it.each(ROUTES.filter(({ authority }) => authority === 'signed').map(({ path, body }) => [path, body]))('that takes signed bodies takes no other: %s', async (path) => {
    const forged = { request: 'x'.repeat(40), order: 'x'.repeat(40), mandate: 'x'.repeat(40), token: 'x'.repeat(40) };
    for (const name of Object.keys(forged) as (keyof typeof forged)[]) {
      const body = { [name]: forged[name], ...(name === 'mandate' ? { device_id: freshId('dev') } : {}) };
      const { status } = await call('POST', concrete(path), { body, admin: false });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
  });

  it('that forgets to say answers nobody at all', async () => {
    const row = { method: 'GET', path: '/forgotten', summary: '', answer: 'text/plain', handle: () => Promise.resolve('secret') } as never;
    const app = apiServer({ logger: pino({ level: 'silent' }) } as Verifier, [row], { tls: null, adminToken: 'token' });
    expect((await app.inject({ url: '/forgotten' })).statusCode).toBe(401);
    expect((await app.inject({ url: '/forgotten', headers: { authorization: 'Bearer token' } })).statusCode).toBe(401);
    await app.close();
  });

  it('stands in the documentation that is made from the same rows', async () => {
    const { body } = await call('GET', '/openapi.json', { admin: false });
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(documented.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{rest}')}`).sort());
    expect(body.paths['/v1/delegation/carriers/{carrierId}/fund'].post.requestBody.content['application/json'].schema).toMatchObject({ required: ['event_id', 'amount'], additionalProperties: false });
  });
});

describe('what is sent wrongly', () => {
  const users = '/v1/delegation/users';
  it.each([
    ['a duplicate key', '{"kind":"person","kind":"organisation"}', 400, 'intake.json_ambiguous'],
    ['a member that is not known', '{"kind":"person","admin":true}', 400, 'intake.malformed'],
    ['a float', '{"kind":1.5}', 400, 'money.not_integer'],
    ['no JSON', '{', 400, 'intake.malformed'],
    ['nothing', '', 400, 'intake.malformed'],
    ['too much', `{"kind":"${'x'.repeat(300_000)}"}`, 413, 'intake.too_large'],
  ])('%s is refused with a problem document that says how to mend it', async (_, body, status, code) => {
    const answer = await call('POST', users, { body });
    expect([answer.status, answer.body.code, answer.body.status]).toEqual([status, code, status]);
    expect(answer.body.fix.length).toBeGreaterThan(5);
  });

  it('in another content type, at another path or by another method is told so', async () => {
    expect((await call('POST', users, { body: 'kind=person', headers: { 'content-type': 'application/x-www-form-urlencoded' } })).body.code).toBe('intake.malformed');
    expect((await call('GET', '/v1/nothing')).body.code).toBe('intake.not_found');
    expect((await call('DELETE', users)).body.code).toBe('intake.method');
  });
});

describe('what anyone may read', () => {
  it('is the keys, with which tokens of this verifier open', async () => {
    const trust = parseTrust((await call('GET', '/.well-known/jwks.json', { admin: false })).text);
    const { policy } = (await call('GET', '/v1/trust/policy', { admin: false })).body;
    expect(open(POLICY, policy, trust.keys).value).toMatchObject({ id: 'default', version: 1 });
    expect(trust.owner(open(POLICY, policy, trust.keys).signer.kid)).toBe('https://verifier.example');
  });

  it('is nobody\'s name: users and their keys stand in no public list', async () => {
    const { userId, signer } = await service.user('private person');
    const { text } = await call('GET', '/.well-known/jwks.json', { admin: false });
    expect([text.includes(userId), text.includes('usr_'), text.includes(signer.kid), text.includes(signer.jwk.x)]).toEqual([false, false, false, false]);
  });

  it('is the checkpoint of the log, also while the log is empty', async () => {
    const trust = await service.trust();
    expect(openCheckpoint((await call('GET', '/log/checkpoint', { admin: false })).text, trust.logs)).toMatchObject({ origin: 'log.verifier.example' });
    expect((await call('GET', '/log/leaf/evt_none/proof', { admin: false })).body.code).toBe('intake.not_found');
  });

  it('is its health', async () => {
    expect((await call('GET', '/healthz', { admin: false })).body).toMatchObject({ status: 'ok' });
  });
});

describe('a policy', () => {
  const sealed = (version: number, signer = loadKeys(service.config.keys.dir, 'log.verifier.example').operator) => seal(POLICY, { iss: 'https://verifier.example', iat: 1_795_000_000, ...DEFAULT_POLICY, version }, signer);
  it('is replaced by a newer one of the operator, by nobody else and by nothing older', async () => {
    expect((await call('POST', '/v1/trust/policy', { body: { policy: sealed(2) } })).status).toBe(200);
    expect((await call('POST', '/v1/trust/policy', { body: { policy: sealed(1) } })).body.code).toBe('store.conflict');
    expect((await call('POST', '/v1/trust/policy', { body: { policy: sealed(3, withKid('user', 'mallory')) } })).body.code).toBe('token.signature');
  });
});

describe('a carrier', () => {
  const request = (sub: string, changes: Partial<CarrierRequest> = {}): CarrierRequest => {
    const iat = Math.floor(Date.now() / 1000);
    return { jti: freshId('crr'), sub, iat, exp: iat + 60, rev: 1, currency: 'CNY', rules: { ...rules, windows: [] }, agents: ['example.shopper'], ...changes };
  };
  const submit = (token: string) => call('POST', '/v1/delegation/carriers', { body: { request: token }, admin: false });

  it('is opened and revised at its user\'s word, signed by the carrier issuer, and takes money once per event', async () => {
    const { userId, signer } = await service.user('alice');
    const first = request(userId);
    const opened = await submit(seal(CARRIER_REQUEST, first, signer));
    expect(opened.status).toBe(201);
    expect(open(CARRIER, opened.body.carrier, (await service.trust()).keys).value).toMatchObject({ jti: first.jti, sub: userId, rev: 1, state: 'active' });
    expect((await submit(seal(CARRIER_REQUEST, { ...first, rev: 2 }, signer))).status).toBe(201);
    expect((await submit(seal(CARRIER_REQUEST, { ...first, rev: 2 }, signer))).body.code).toBe('store.conflict');
    const fund = () => call('POST', `/v1/delegation/carriers/${first.jti}/fund`, { body: { event_id: 'wire-1', amount: 5000 } });
    await fund();
    expect((await fund()).body).toMatchObject({ available: 5000, rev: 2 });
  });

  it('is nobody else\'s: not by another key, not for another user, not after the request\'s life', async () => {
    const { userId, signer } = await service.user('bob');
    const other = await service.user('eve');
    expect((await submit(seal(CARRIER_REQUEST, request(userId), withKid('user', 'unregistered')))).body.code).toBe('token.signature');
    expect((await submit(seal(CARRIER_REQUEST, request(userId), other.signer))).body.code).toBe('token.signature');
    expect((await submit(seal(CARRIER_REQUEST, request(userId, { iat: 1_700_000_000, exp: 1_700_000_060 }), signer))).body.code).toBe('token.time');
    const own = request(userId);
    await submit(seal(CARRIER_REQUEST, own, signer));
    expect((await submit(seal(CARRIER_REQUEST, { ...own, sub: other.userId, rev: 2 }, other.signer))).body.code).toBe('store.conflict');
  });
});
