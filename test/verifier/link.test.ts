import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { toB64u } from '../../src/base/bytes.js';
import { LINK_LIMITS, LINK_PATH, LINK_PROTOCOL, type LinkBody } from '../../src/link.js';
import { Bucket, CONNECTION_LIMITS } from '../../verifier/link/limits.js';
import { intent, log, payment, platform } from '../support/examples.js';
import { TestLink } from './support/link.js';
import { freshId, TestService } from './support/service.js';

let service: TestService;
let link: TestLink;
const LIMITS = { ...CONNECTION_LIMITS, proveMs: 1500, heartbeatMs: 100, strangers: 4 };
beforeAll(async () => { service = await new TestService().start({ limits: LIMITS }); });
afterAll(() => service.stop());
afterEach(async () => {
  link?.close();
  expect((await service.call('GET', '/healthz', { admin: false })).status).toBe(200);
});

const hello: LinkBody<'hello'> = { build: 'test', akName: 'ab'.repeat(34), tier: 'T2', reason: null, agents: [] };
const open = async () => { link = await TestLink.open(service.linkUrl); return link; };
const envelope = (type: string, body: object, more: object = {}) => JSON.stringify({ v: 1, id: '01JD0000000000000000000000', re: null, type, body, ...more });

describe('a stranger', () => {
  it('gets the policy and a nonce for its greeting, and nothing else', async () => {
    await open();
    link.send('hello', hello);
    await link.next('policy');
    expect((await link.next('nonces')).purpose).toBe('platform');
    expect(link.received.map(({ type }) => type)).toEqual(['policy', 'nonces']);
  });

  const messages: [string, () => Promise<string>][] = [
    ['pays', () => link.answerTo('payment', { paymentId: freshId('pay'), attempt: 1, intent, mandate: null, closedMandate: null, evidence: payment, findings: [] })],
    ['asks for a payment', () => link.answerTo('settle_query', { paymentId: freshId('pay') })],
    ['reports a refusal', () => link.answerTo('refusal', { paymentId: freshId('pay'), intent, code: 'mandate.unknown', message: 'none' })],
    ['shows a piece of its IMA list', () => link.answerTo('ima_append', { from: 0, data: '' })],
    ['answers a challenge that nobody gave', () => link.answerTo('enrol_proof', { sessionId: 'x', answer: toB64u(Buffer.alloc(32)), certify: null, evidence: platform, log })],
    ['greets twice', () => link.answerTo('hello', hello)],
  ];
  it.each(messages)('that %s is refused as out of order', async (_, say) => {
    await open();
    link.send('hello', hello);
    await link.next('nonces');
    expect(await say()).toBe('link.protocol');
  });

  it('that proves a platform before it greeted is refused as out of order', async () => {
    await open();
    expect(await link.answerTo('platform', { evidence: platform, log })).toBe('link.protocol');
  });

  it('whose key is not enrolled is told so', async () => {
    await open();
    link.send('hello', hello);
    await link.next('nonces');
    expect(await link.answerTo('platform', { evidence: platform, log })).toBe('device.unknown');
    expect(await link.answerTo('log_append', { log })).toBe('device.unknown');
  });

  it('without a TPM, or with a certificate that nobody signed, enrols nothing', async () => {
    await open();
    link.send('hello', { ...hello, akName: null });
    await link.next('nonces');
    const b64 = toB64u(Buffer.from('not a public area'));
    expect(await link.answerTo('enrol_begin', { code: 'x', ekCertificate: null, ekChain: [], ekPublic: b64, akPublic: b64, registerPublic: null, counterPublic: null, provider: null })).toMatch(/^enrol\./);
  });

  it('that does not prove its key in time is sent away', async () => {
    await open();
    expect(await link.closed()).toBe(1008);
  });
});

describe('bytes that are no message', () => {
  it.each([
    ['text that is no JSON', 'hello'],
    ['a duplicate key', '{"v":1,"v":1}'],
    ['a type that is unknown', envelope('admin', {})],
    ['a type of the verifier', envelope('welcome', {})],
    ['a member that is unknown', envelope('ack', {}, { extra: true })],
    ['another version', envelope('ack', {}, { v: 2 })],
    ['a body of another type', envelope('hello', { build: 1 })],
    ['deep nesting', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
  ])('are refused with a code, and end the connection: %s', async (_, text) => {
    await open();
    link.socket.send(text);
    const { code } = await link.next('error');
    expect(code).toMatch(/^(intake|link|money)\./);
    expect(await link.closed()).toBe(1002);
  });

  it('are refused when they are binary', async () => {
    await open();
    link.socket.send(Buffer.from(envelope('ack', {})), { binary: true });
    expect((await link.next('error')).code).toBe('link.protocol');
    expect(await link.closed()).toBe(1002);
  });

  it('are cut off when they are too many, before they are read', async () => {
    await open();
    link.socket.send('x'.repeat(LINK_LIMITS.messageBytes + 1));
    expect(await link.closed()).toBe(1009);
  });
});

describe('a peer that costs too much', () => {
  it('by sending faster than its rate is ended', async () => {
    await open();
    for (let i = 0; i < CONNECTION_LIMITS.burst + 50; i++) link.send('ack', {});
    expect(await link.closed()).toBe(1008);
  });

  it('by not answering a ping is gone after two beats', async () => {
    const socket = new WebSocket(new URL(LINK_PATH, service.linkUrl), LINK_PROTOCOL, { autoPong: false });
    await once(socket, 'open');
    const from = performance.now();
    await once(socket, 'close');
    expect(performance.now() - from).toBeLessThan(1000);
  });

  it('by sending half a frame is ended by its deadline', async () => {
    const socket = connect(Number(new URL(service.running.url).port), '127.0.0.1');
    socket.write(`GET ${LINK_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nSec-WebSocket-Protocol: ${LINK_PROTOCOL}\r\n\r\n`);
    await once(socket, 'data');
    socket.write(Buffer.from([0x81, 0xfe, 0x10]));
    await once(socket.resume(), 'close');
  });

  it('by opening more connections than strangers may is turned away, others are not', async () => {
    const crowd = await Promise.all(Array.from({ length: LIMITS.strangers }, () => TestLink.open(service.linkUrl)));
    await expect(TestLink.open(service.linkUrl)).rejects.toThrow('503');
    for (const each of crowd) each.close();
    await new Promise((done) => setTimeout(done, 100));
    await open();
  });

  it('at another path or in another protocol is not upgraded', async () => {
    const refused = async (path: string, protocol: string) => (await once(new WebSocket(new URL(path, service.linkUrl), protocol), 'error'))[0].message as string;
    expect(await refused('/other', LINK_PROTOCOL)).toContain('404');
    expect(await refused(LINK_PATH, 'chat')).toContain('400');
  });
});

describe('a token bucket', () => {
  it('lets a burst through, then its rate', () => {
    const bucket = new Bucket({ perSecond: 10, burst: 3 }, 0);
    expect([0, 0, 0, 0].map((at) => bucket.take(at))).toEqual([true, true, true, false]);
    expect([50, 100, 150, 1000, 1000, 1000, 1000].map((at) => bucket.take(at))).toEqual([false, true, false, true, true, true, false]);
  });
});

it('names in its refusals nothing but the code and the sentence', async () => {
  await open();
  link.send('hello', hello);
  await link.next('nonces');
  const answer = await link.ask('settle_query', { paymentId: freshId('pay') });
  expect(Object.keys(answer.body).sort()).toEqual(['code', 'message']);
});
