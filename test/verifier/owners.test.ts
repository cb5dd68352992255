/** What a user sees with her own key: what is hers, and of everything else not even that it exists. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Signer } from '../../src/base/jws.js';
import { proofOf, PROOF_SCHEME, REQUEST_PROOF, type RequestProof } from '../../src/objects/request.js';
import { seal } from '../../src/objects/signed.js';
import { ROUTES } from '../../verifier/api/routes.js';
import { TestPayer } from './support/payer.js';
import { freshId, ISSUER, withKid } from './support/service.js';

interface User { readonly userId: string; readonly signer: Signer }
interface Ask { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: string }

let payer: TestPayer;
let alice: User;
let bob: User;
let mandateId: string;
let paymentId: string;
let clockMs = 0;
beforeAll(async () => {
  payer = await TestPayer.start({ now: () => Date.now() + clockMs });
  await payer.enrol();
  await payer.openCarrier();
  mandateId = await payer.giveMandate();
  const message = await payer.attempt(payer.intent());
  await payer.decision(message);
  await payer.link.next('execution');
  ({ paymentId } = message);
  alice = { userId: payer.userId, signer: payer.user };
  bob = await payer.service.user('bob');
});
afterAll(() => payer.stop());

const nowS = (): number => Math.floor((Date.now() + clockMs) / 1000);
const urlOf = (path: string): string => new URL(path, payer.service.running.url).href;
const send = ({ method, path, body }: Ask, authorization?: string) => payer.service.call(method, path, { admin: false, ...(body === undefined ? {} : { body }), headers: authorization === undefined ? {} : { authorization } });
const proof = ({ userId: sub, signer }: User, { method, path, body }: Ask): string => proofOf({ sub, method, url: urlOf(path), body }, { jti: freshId('evt'), iat: nowS() }, signer);
const ask = (who: User, request: Ask) => send(request, proof(who, request));

/** For each route that users may call: a call about something of Alice's. A new one that is not here fails below. */
const CALLS: Record<string, () => Ask> = {
  'GET /v1/delegation/users/:userId/keys': () => get(`/v1/delegation/users/${alice.userId}/keys`),
  'GET /v1/delegation/carriers/:carrierId': () => get(`/v1/delegation/carriers/${payer.carrierId}`),
  'GET /v1/delegation/carriers': () => get(`/v1/delegation/carriers?user_id=${alice.userId}`),
  'POST /v1/delegation/carriers/:carrierId/return': () => post(`/v1/delegation/carriers/${payer.carrierId}/return`, { event_id: freshId('evt'), amount: 1 }),
  'GET /v1/delegation/mandates/:mandateId': () => get(`/v1/delegation/mandates/${mandateId}`),
  'GET /v1/delegation/mandates': () => get(`/v1/delegation/mandates?device_id=${payer.deviceId}`),
  'GET /v1/delegation/devices/:deviceId/agents': () => get(`/v1/delegation/devices/${payer.deviceId}/agents`),
  'GET /v1/payment/payments': () => get(`/v1/payment/payments?user_id=${alice.userId}`),
  'GET /v1/payment/payments/:paymentId': () => get(`/v1/payment/payments/${paymentId}`),
  'GET /v1/payment/events': () => get(`/v1/payment/events?user_id=${alice.userId}&after=0`),
  'GET /v1/payment/carriers/:carrierId/statement': () => get(`/v1/payment/carriers/${payer.carrierId}/statement`),
  'POST /v1/trust/enrol-codes': () => post('/v1/trust/enrol-codes', { user_id: alice.userId }),
  'GET /v1/trust/devices/:deviceId': () => get(`/v1/trust/devices/${payer.deviceId}`),
  'GET /v1/trust/devices/:deviceId/records': () => get(`/v1/trust/devices/${payer.deviceId}/records`),
  'GET /v1/trust/devices': () => get(`/v1/trust/devices?user_id=${alice.userId}`),
};
/** Routes that any user may call, for they answer nothing about anyone. */
const ABOUT_NOBODY = ['POST /v1/delegation/mandates/:mandateId/status'];
const get = (path: string): Ask => ({ method: 'GET', path });
const post = (path: string, body: object): Ask => ({ method: 'POST', path, body: JSON.stringify(body) });
const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} ${path}`;

describe('every route for users', () => {
  it('stands in the table of this test', () => {
    expect(ROUTES.filter(({ authority }) => authority === 'user').map(nameOf).sort()).toEqual([...Object.keys(CALLS), ...ABOUT_NOBODY].sort());
  });

  it('leaves nothing else that anyone may read without a proof', () => {
    expect(ROUTES.filter(({ authority }) => authority === 'public').map(nameOf).sort()).toEqual([
      'GET /.well-known/jwks.json', 'GET /healthz', 'GET /log/checkpoint', 'GET /log/consistency', 'GET /log/leaf/:event/proof', 'GET /log/tile/*', 'GET /openapi.json', 'GET /status/:n',
      'GET /v1/commerce/payees/:payeeId', 'GET /v1/trust/ear/:paymentId', 'GET /v1/trust/manifests/:manifestSha256', 'GET /v1/trust/policy',
    ]);
  });

  it.each(Object.keys(CALLS).filter((name) => name !== 'GET /v1/payment/events'))('answers whose thing it is, and says to another that there is none: %s', async (name) => {
    const call = CALLS[name]!;
    const hers = await ask(alice, call());
    expect([name, hers.status < 300]).toEqual([name, true]);
    const others = await ask(bob, call());
    expect([others.status, others.body.code]).toEqual([404, 'intake.not_found']);
    expect(others.body.detail).toBe(`there is no ${call().path.split('?')[0]}`);
    const nobody = await send(call());
    expect([nobody.status, nobody.body.code]).toEqual([401, 'intake.unauthorised']);
  });

  it('streams her events to her alone', async () => {
    const call = CALLS['GET /v1/payment/events']!();
    const stream = await fetch(urlOf(call.path), { headers: { authorization: proof(alice, call) } });
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    await stream.body!.cancel();
    expect((await ask(bob, call)).status).toBe(404);
  });

  it('ends her stream in time, so that a key that she lost since hears no more; she goes on with another proof', async () => {
    const call = CALLS['GET /v1/payment/events']!();
    const stream = await fetch(urlOf(call.path), { headers: { authorization: proof(alice, call) } });
    clockMs += 901_000;
    const ended = stream.text().then(() => 'ended');
    expect(await Promise.race([ended, new Promise((done) => { setTimeout(() => done('still open'), 2000); })])).toBe('ended');
    clockMs = 0;
  });

  it('holds so many streams open for one user, and takes another when one ends', async () => {
    const call = get(`/v1/payment/events?user_id=${bob.userId}`);
    const listen = () => fetch(urlOf(call.path), { headers: { authorization: proof(bob, call) } });
    const open = await Promise.all(Array.from({ length: 16 }, async () => {
      const reader = (await listen()).body!.getReader();
      await reader.read();
      return reader;
    }));
    expect(await ask(bob, call)).toMatchObject({ status: 429, body: { code: 'intake.pace' } });
    await Promise.all(open.map((reader) => reader.cancel()));
    await expect.poll(async () => (await listen()).status, { interval: 200, timeout: 5000 }).toBe(200);
  }, 20_000);

  it('says the same of what is another\'s and of what there is not', async () => {
    const others = await ask(bob, get(`/v1/payment/payments/${paymentId}`));
    const none = freshId('pay');
    const missing = await ask(bob, get(`/v1/payment/payments/${none}`));
    expect(others.text.replaceAll(paymentId, '-')).toBe(missing.text.replaceAll(none, '-'));
  });

  it('shows her own when it names nobody', async () => {
    expect((await ask(alice, get('/v1/payment/payments'))).body.payments.map((one: { payment_id: string }) => one.payment_id)).toEqual([paymentId]);
    expect((await ask(bob, get('/v1/payment/payments'))).body.payments).toEqual([]);
  });
});

describe('what is the operator\'s', () => {
  it.each(ROUTES.filter(({ authority }) => authority === 'admin').map(nameOf))('no user may: %s', async (name) => {
    const [method, path] = name.split(' ') as ['GET' | 'POST', string];
    const request: Ask = { method, path: path.replace(/:userId/g, alice.userId).replace(/:carrierId/g, payer.carrierId).replace(/:[a-zA-Z]+/g, paymentId), ...(method === 'POST' ? { body: '{}' } : {}) };
    expect((await ask(alice, request)).body.code).toBe('intake.unauthorised');
  });
});

describe('several users of one device', () => {
  it('see their own mandates on it, and not whose it is', async () => {
    const { code } = await payer.service.post('/v1/trust/enrol-codes', { user_id: bob.userId });
    expect((await payer.service.call('POST', `/v1/trust/devices/${payer.deviceId}/users`, { body: { code, order: payer.order('add', payer.deviceId) }, admin: false })).status).toBe(201);
    expect((await ask(bob, get(`/v1/delegation/mandates?device_id=${payer.deviceId}`))).body.mandates).toEqual([]);
    expect((await ask(alice, get(`/v1/delegation/mandates?device_id=${payer.deviceId}`))).body.mandates).toHaveLength(1);
    const seen = (await ask(bob, get(`/v1/trust/devices?user_id=${bob.userId}`))).body.devices;
    expect(seen).toMatchObject([{ device_id: payer.deviceId, user_id: null }]);
    expect((await ask(alice, get(`/v1/trust/devices/${payer.deviceId}`))).body.user_id).toBe(alice.userId);
    expect((await ask(bob, get(`/v1/payment/payments/${paymentId}`))).status).toBe(404);
  });
});

describe('a proof', () => {
  const request = (): Ask => get(`/v1/delegation/carriers/${payer.carrierId}`);
  const made = (changes: Partial<RequestProof>, signer = alice.signer): string => {
    const honest = { sub: alice.userId, jti: freshId('evt'), iat: nowS(), exp: nowS() + 60, htm: 'GET' as const, htu: urlOf(request().path), bodySha256: null };
    return `${PROOF_SCHEME} ${seal(REQUEST_PROOF, { ...honest, ...changes }, signer)}`;
  };

  it('opens its request, once', async () => {
    const once = made({});
    expect([(await send(request(), once)).status, (await send(request(), once)).status]).toEqual([200, 401]);
  });

  it.each<[string, () => string]>([
    ['by another user in her name', () => made({}, bob.signer)],
    ['by a key that nobody registered', () => made({}, withKid('user', 'nobody'))],
    ['for another method', () => made({ htm: 'POST' })],
    ['for another path', () => made({ htu: urlOf('/v1/delegation/carriers') })],
    ['for another query', () => made({ htu: `${urlOf(request().path)}?x=1` })],
    ['for another verifier', () => made({ htu: `https://other.example${request().path}` })],
    ['of yesterday', () => made({ iat: nowS() - 86_400, exp: nowS() - 86_340 })],
    ['that lives too long', () => made({ exp: nowS() + 3600 })],
    ['of a body that is not there', () => made({ bodySha256: 'A'.repeat(43) })],
    ['under another scheme', () => made({}).replace(PROOF_SCHEME, 'Bearer')],
    ['that is an order', () => `${PROOF_SCHEME} ${payer.order('freeze', payer.carrierId)}`],
    ['that is nothing', () => `${PROOF_SCHEME} x.y.z`],
  ])('%s opens nothing', async (_, authorization) => {
    const answer = await send(request(), authorization());
    expect([answer.status, answer.body.code]).toEqual([401, 'intake.unauthorised']);
  });

  /** What a program in the middle sends: the proof as it got it, and whatever it likes as `Host`. */
  const relayed = (authorization: string, host: string): Promise<number> => new Promise((done, failed) => {
    httpRequest(urlOf(request().path), { headers: { authorization, host } }, (response) => done(response.resume().statusCode ?? 0)).on('error', failed).end();
  });

  it('that another verifier was given opens nothing here, whatever host the request says that it is for', async () => {
    const { path } = request();
    expect(await relayed(made({ htu: `https://evil.example${path}` }), 'evil.example')).toBe(401);
    expect(await relayed(made({ htu: `http://127.0.0.1:1${path}` }), '127.0.0.1:1')).toBe(401);
    expect(await relayed(made({ htu: `http://verifier.example${path}` }), 'verifier.example'), 'without TLS').toBe(401);
  });

  it('for the address that is the name of this verifier opens its request, also behind a proxy that changes the host', async () => {
    expect(await relayed(made({ htu: `${ISSUER}${request().path}` }), 'inside:8080')).toBe(200);
  });

  it('is of the very body that is sent', async () => {
    const [asked, sent] = [1, 2].map((amount) => post(`/v1/delegation/carriers/${payer.carrierId}/return`, { event_id: freshId('evt'), amount }));
    expect((await send(sent!, proof(alice, asked!))).body.code).toBe('intake.unauthorised');
    expect((await send(sent!, proof(alice, sent!))).status).toBe(200);
  });

  it('of a key that she lost opens nothing from the answer on', async () => {
    const { userId, signer } = await payer.service.user('loses her key');
    const own = get(`/v1/delegation/users/${userId}/keys`);
    expect((await ask({ userId, signer }, own)).status).toBe(200);
    await payer.service.post(`/v1/delegation/users/${userId}/keys/${signer.kid}/revoke`, {});
    expect((await ask({ userId, signer }, own)).status).toBe(401);
  });
});
