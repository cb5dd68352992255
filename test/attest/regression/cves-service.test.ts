/** CVEs of attestation services, performed against a running verifier over its real link and API. */
import { connect as dial } from 'node:net';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect } from 'vitest';
import { WebSocket } from 'ws';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { canonical } from '../../../src/base/json.js';
import { encode } from '../../../src/base/shape.js';
import { LINK_PATH, LINK_PROTOCOL, deviceMessage } from '../../../src/link.js';
import type { Store } from '../../../verifier/store/verbs.js';
import { ROUTES } from '../../../verifier/api/routes.js';
import { CONNECTION_LIMITS } from '../../../verifier/link/limits.js';
import { TestLink } from '../../verifier/support/link.js';
import { TestPayer } from '../../verifier/support/payer.js';
import { ISSUER } from '../../verifier/support/service.js';
import { quoteOf } from './forgery.js';
import { isCheckedQuote } from './naive.js';
import { row } from './rows.js';

const STALLED_MS = 1500;
let payer: TestPayer;
let store: Store;
beforeAll(async () => {
  payer = await TestPayer.start({ limits: { ...CONNECTION_LIMITS, proveMs: STALLED_MS } });
  store = await payer.service.store();
  await payer.enrol();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});
const clock = () => store.clock(payer.device.akName.toString('hex'));

row('CVE-2026-6420', 'a quote over the nonce of another connection: each connection has one of its own, and takes no other', async () => {
  const first = await payer.greet();
  const replayed = await payer.device.platform({ nonce: first, aud: ISSUER });
  expect(isCheckedQuote(payer.device.akPublic, replayed.quote, quoteOf(replayed).extraData), 'to a verifier whose nonce is constant it is fresh for ever').toBe(true);
  payer.link.close();
  expect(await payer.greet()).not.toBe(first);
  expect(await payer.link.answerTo('platform', { evidence: replayed, log: payer.device.delta() })).toBe('nonce.unknown');
  await payer.reconnect();
});

row('CVE-2022-23949', 'a name that would forge lines of a log is none', async () => {
  payer.link.close();
  const [agent] = payer.hello().agents;
  const socket = new WebSocket(new URL(LINK_PATH, payer.service.linkUrl), LINK_PROTOCOL);
  await once(socket, 'open');
  const body = { build: 'test', ak_name: payer.hello().akName, tier: 'T2', reason: null, agents: [{ agent_id: 'shopper\nINFO payment permitted', manifest_sha256: agent!.manifestSha256, jwk: agent!.jwk }] };
  socket.send(JSON.stringify({ v: 1, id: '01JD0000000000000000000000', re: null, type: 'hello', body }));
  const [answer] = await once(socket, 'message') as [Buffer];
  expect(JSON.parse(answer.toString())).toMatchObject({ type: 'error', body: { code: 'intake.malformed' } });
  expect(answer.toString()).not.toContain('payment permitted');
  socket.terminate();
  await payer.reconnect();
});

row('CVE-2022-23951', 'nothing that is sent is unpacked: neither a message of the link nor a body of the API', async () => {
  const socket = new WebSocket(new URL(LINK_PATH, payer.service.linkUrl), LINK_PROTOCOL, { perMessageDeflate: true });
  await once(socket, 'open');
  expect(socket.extensions).toBe('');
  socket.terminate();
  const bomb = gzipSync(JSON.stringify({ kind: 'person', padding: ' '.repeat(50_000_000) }));
  const answer = await fetch(new URL('/v1/delegation/users', payer.service.running.url), { method: 'POST', headers: { authorization: `Bearer ${payer.service.adminToken}`, 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: bomb });
  expect(answer.status).toBe(400);
});

row('CVE-2023-38200', 'who opens a connection and says nothing is sent away, and holds up nobody', async () => {
  const port = Number(new URL(payer.service.running.url).port);
  const silent = Array.from({ length: 32 }, () => dial(port, '127.0.0.1').on('error', () => undefined).resume());
  const link = await TestLink.open(payer.service.linkUrl);
  const from = performance.now();
  expect((await payer.service.call('GET', '/healthz', { admin: false })).status).toBe(200);
  expect(performance.now() - from).toBeLessThan(STALLED_MS);
  expect(await link.closed()).toBe(1008);
  for (const each of silent) each.destroy();
});

row('CVE-2023-38201', 'a wrong answer to the challenge learns nothing of the right one, and has no second try', async () => {
  payer.link.close();
  await payer.greet();
  const challenge = await payer.challenge(await payer.code(true));
  const proof = await payer.proof(challenge);
  const answer = await payer.link.ask('enrol_proof', { ...proof, answer: toB64u(Buffer.alloc(32)) });
  expect(answer).toMatchObject({ type: 'error', body: { code: 'enrol.proof' } });
  expect(Object.keys(answer.body).sort()).toEqual(['code', 'message']);
  expect(JSON.stringify(answer)).not.toContain(proof.answer);
  expect(await payer.link.answerTo('enrol_proof', proof), 'and the right one comes too late').toBe('link.protocol');
  await payer.reconnect();
});

row('CVE-2026-1709', 'no route of the operator answers without his token, and none forgets to say whose it is', async () => {
  const closed = ROUTES.filter(({ authority }) => authority === 'admin');
  expect(closed.length).toBeGreaterThan(5);
  for (const { method, path } of closed) {
    const answer = await payer.service.call(method, path.replace(/:[a-zA-Z]+/g, 'x'), { admin: false, ...(method === 'GET' ? {} : { body: {} }) });
    expect(answer.status, `${method} ${path}`).toBe(401);
  }
  expect(ROUTES.every(({ authority }) => typeof authority === 'string')).toBe(true);
});

row('SPIRE join token', 'a code or nonce that two connections use at the same time is used once', async () => {
  const nonce = { value: 'n-1', deviceId: payer.deviceId, purpose: 'payment' as const, expiresMs: Date.now() + 60_000 };
  const stores = await Promise.all(Array.from({ length: 4 }, () => payer.service.store()));
  const used = await Promise.all(stores.map((each) => each.consumeNonce(nonce, Date.now())));
  expect(used.filter(Boolean)).toHaveLength(1);
  const codeSha256 = sha256('a code');
  await store.addEnrolCode({ codeSha256, userId: payer.userId, expiresMs: Date.now() + 60_000, reEnrol: false });
  const taken = await Promise.all(stores.map((each) => each.useEnrolCode(codeSha256, Date.now())));
  expect(taken.filter((each) => each !== null)).toHaveLength(1);
  await store.addEnrolCode({ codeSha256: sha256('another'), userId: payer.userId, expiresMs: Date.now() + 60_000, reEnrol: false });
  const session = (n: number) => ({ sessionId: `s-${n}`, ekSha256: `tpm ${n}`, akName: 'ak', secretMac: 'mac', codeSha256: sha256('another'), expiresMs: Date.now() + 60_000, nowMs: Date.now() });
  expect((await Promise.all(stores.map((each, n) => each.openEnrolSession(session(n))))).filter(Boolean)).toHaveLength(1);
  await Promise.all(stores.map((each) => each.close()));
});

row('CVE-2021-27098', 'another spelling of a name is another name, and no device has two', async () => {
  const before = await clock();
  payer.link.close();
  const link = await TestLink.open(payer.service.linkUrl);
  const socket = link.socket;
  socket.send(JSON.stringify({ v: 1, id: '01JD0000000000000000000000', re: null, type: 'hello', body: { build: 'test', ak_name: payer.hello().akName!.toUpperCase(), tier: 'T2', reason: null, agents: [] } }));
  expect((await link.next('error')).code).toBe('intake.malformed');
  expect(await clock()).toEqual(before);
  await payer.reconnect();
});

row('CVE-2021-27099', 'nor is a nonce taken in another spelling of its base64url', async () => {
  const nonce = await payer.platformNonce();
  const twin = nonce.slice(0, -1) + String.fromCharCode(nonce.charCodeAt(nonce.length - 1) + 1);
  expect(Buffer.from(twin, 'base64url'), 'a lenient decoder reads the same bytes').toEqual(Buffer.from(nonce, 'base64url'));
  const evidence = await payer.device.platform({ nonce, aud: ISSUER, counter: false });
  const message = { v: 1, id: '01JD0000000000000000000000', re: null, type: 'platform', body: { evidence, log: payer.device.delta(payer.device.log.length) } } as const;
  payer.link.socket.send(canonical(encode(deviceMessage, message)).replace(nonce, twin));
  expect((await payer.link.next('error')).code).toBe('intake.malformed');
});
