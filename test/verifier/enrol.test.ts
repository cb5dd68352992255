import { generateKeyPairSync } from 'node:crypto';
import { Public, encode, publicFromKey, templates } from '@ari-sidecar/tpm2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { open, seal, tokenHash } from '../../src/objects/signed.js';
import { readLeaf } from '../../src/deposit/chain.js';
import type { Store } from '../../verifier/store/verbs.js';
import { logEntry } from '../../attest/log.js';
import type { LinkBody } from '../../src/link.js';
import { CONNECTION_LIMITS } from '../../verifier/link/limits.js';
import { MANIFEST } from '../support/device.js';
import { TestLink } from './support/link.js';
import { TestPayer } from './support/payer.js';
import { freshId, ISSUER, withKid } from './support/service.js';

let payer: TestPayer;
let store: Store;
beforeAll(async () => {
  payer = await TestPayer.start();
  store = await payer.service.store();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});

/** What the verifier keeps of enrolments that failed: nothing. */
const nobodyEnrolled = async () => expect(await store.deviceByAk(payer.device.akName.toString('hex'))).toBeNull();
const begin = async (code: string, changes: Partial<LinkBody<'enrol_begin'>> = {}) => payer.link.answerTo('enrol_begin', { ...payer.device.begin, code, ...changes });
const noCertificate = toB64u(Buffer.from('no certificate'));
const otherTpm = () => ({ ekPublic: toB64u(encode(Public, publicFromKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey, templates.ekRsa2048))), ekCertificate: null, ekChain: [] });
let code: string;

describe('an enrolment', () => {
  afterEach(() => payer.link.close());

  it('needs a code of the user, and before that is seen no key and no certificate is looked at', async () => {
    await payer.greet();
    expect(await begin('guessed', { ekCertificate: noCertificate, ekPublic: '' })).toBe('enrol.code');
    expect(await begin(await payer.code(), { ekCertificate: noCertificate })).toBe('enrol.ek_chain');
    await nobodyEnrolled();
  });

  it('is no place to guess codes: each wrong one takes its time, and the third ends the connection', async () => {
    await payer.greet();
    const began = performance.now();
    for (let guess = 0; guess < 3; guess++) expect(await begin(`guess ${guess}`)).toBe('enrol.code');
    expect(performance.now() - began).toBeGreaterThan(3 * CONNECTION_LIMITS.wrongCodeMs - 5);
    expect(await payer.link.closed()).toBe(1008);
  });

  it('has its code for itself while it lasts: another TPM cannot use it, the same TPM may begin again', async () => {
    const shared = await payer.code();
    await payer.greet();
    expect(await begin(shared)).toBe('enrol_challenge');
    payer.link.close();
    await payer.greet();
    expect(await begin(shared, otherTpm())).toBe('enrol.code');
    expect(await begin(shared)).toBe('enrol_challenge');
  });

  it('is of the key that said hello', async () => {
    payer.link = await TestLink.open(payer.service.linkUrl);
    payer.link.send('hello', { ...payer.hello(), akName: `000b${'00'.repeat(32)}` });
    await payer.link.next('nonces');
    expect(await begin(await payer.code())).toBe('enrol.ak_name');
  });

  it('has one try: a wrong answer ends the session', async () => {
    await payer.beginLog(await payer.greet());
    const proof = await payer.proof(await payer.challenge(await payer.code()));
    expect(await payer.link.answerTo('enrol_proof', { ...proof, answer: toB64u(Buffer.alloc(32)) })).toBe('enrol.proof');
    expect(await payer.link.answerTo('enrol_proof', proof)).toBe('link.protocol');
    await nobodyEnrolled();
  });

  it('is proven on the connection that was challenged', async () => {
    await payer.beginLog(await payer.greet());
    const proof = await payer.proof(await payer.challenge(await payer.code()));
    payer.link.close();
    await payer.greet();
    expect(await payer.link.answerTo('enrol_proof', proof)).toBe('link.protocol');
    await payer.challenge(await payer.code());
    expect(await payer.link.answerTo('enrol_proof', proof)).toBe('enrol.session');
    await nobodyEnrolled();
  });

  it('keeps nothing of a device whose first evidence is over another nonce, for another verifier, or of another log than its register', async () => {
    const { device } = payer;
    code = await payer.code();
    const attempt = async (change: (nonce: string) => Promise<Partial<LinkBody<'enrol_proof'>>>) => {
      await payer.beginLog(await payer.greet());
      await device.measure('agent_start');
      const challenge = await payer.challenge(code);
      const answer = await payer.link.answerTo('enrol_proof', { ...(await payer.proof(challenge)), ...(await change(challenge.nonce)) });
      payer.link.close();
      return answer;
    };
    const otherLog = () => ({ ...device.delta(), entries: [device.log[0]!, logEntry(1, device.log[0]!.nvIndex, { kind: 'agent_start', data: { agent_id: 'other' } })] });
    expect(await attempt(async () => ({ evidence: await device.platform({ nonce: sha256('other'), aud: ISSUER }) }))).toBe('binding.mismatch');
    expect(await attempt(async (nonce) => ({ evidence: await device.platform({ nonce, aud: 'https://other.example' }) }))).toBe('binding.mismatch');
    expect(await attempt(() => Promise.resolve({ log: otherLog() }))).toBe('register.value');
    await nobodyEnrolled();
  });

  it('refuses a log that began before this verifier gave a nonce', async () => {
    await payer.beginLog(sha256('a nonce of my own'));
    await payer.greet();
    expect(await payer.link.answerTo('enrol_proof', await payer.proof(await payer.challenge(await payer.code())))).toBe('log.anchor');
    await nobodyEnrolled();
  });
});

describe('an enrolled device', () => {
  it('is one whose proof held at last: what failed before with the same code did not use it up', async () => {
    await payer.enrol(code);
    expect(await store.deviceById(payer.deviceId)).toMatchObject({ userId: payer.userId, state: 'enrolled' });
    payer.link.close();
    await payer.greet();
    expect(await begin(code)).toBe('enrol.code');
    await payer.reconnect();
  });

  it('has a record signed by the verifier, marked as simulated, and its leaf in the log', async () => {
    const device = (await store.deviceById(payer.deviceId))!;
    const record = open(DEVICE_RECORD, device.record, (await payer.service.trust()).keys).value;
    expect(record).toMatchObject({ deviceId: payer.deviceId, akName: payer.device.akName.toString('hex'), simulated: true, tierMax: 'T3' });
    await payer.service.restart();
    await payer.reconnect();
    await payer.openCarrier();
    await payer.giveMandate();
    await payer.decision(await payer.attempt(payer.intent()));
    const [leaf] = await store.chain(payer.deviceId);
    expect(readLeaf(leaf!.leaf)).toMatchObject({ kind: 'enrolled', subject: tokenHash(device.record) });
  });

  it('names its agents, with the key that a mandate must name', async () => {
    const { agents } = await payer.service.get(`/v1/delegation/devices/${payer.deviceId}/agents`);
    expect(agents).toEqual([{ agent_id: MANIFEST.agent.id, manifest_sha256: payer.manifest.sha256, version: MANIFEST.agent.version, jwk: payer.agent.jwk }]);
  });

  it('cannot be enrolled again without a code for that', async () => {
    await payer.greet();
    expect(await begin(await payer.code())).toBe('enrol.device_conflict');
    await payer.reconnect();
  });

  it('enrols again with the key that it has, on a code for that: it stays the same device, and its counter must rise all the same', async () => {
    const before = (await store.deviceById(payer.deviceId))!;
    const again = await payer.code(true);
    await payer.greet();
    const stale = await payer.proof(await payer.challenge(again));
    expect(await payer.link.answerTo('enrol_proof', stale)).toBe('ctr.not_increased');
    await payer.device.increment();
    expect(await payer.link.answerTo('enrol_proof', await payer.proof(await payer.challenge(again)))).toBe('welcome');
    const after = (await store.deviceById(payer.deviceId))!;
    expect({ ...after, record: '' }).toEqual({ ...before, record: '' });
    expect(after.record).not.toBe(before.record);
    await payer.reconnect();
  });

  it('proves its key on each connection anew: evidence of another connection is refused, and so is an old counter', async () => {
    const nonce = await payer.greet();
    payer.link.close();
    await payer.greet();
    const evidence = await payer.device.platform({ nonce, aud: ISSUER });
    expect(await payer.link.answerTo('platform', { evidence, log: payer.device.delta() })).toBe('nonce.unknown');
    payer.link.close();
    const stale = await payer.device.platform({ nonce: await payer.greet(), aud: ISSUER });
    expect(await payer.link.answerTo('platform', { evidence: stale, log: payer.device.delta() })).toBe('ctr.not_increased');
    await payer.reconnect();
  });

  it('refreshes its platform on nonces that are each good once', async () => {
    const nonce = await payer.platformNonce();
    const evidence = await payer.device.platform({ nonce, aud: ISSUER, counter: false });
    const refresh = { evidence, log: payer.device.delta() };
    expect(await payer.link.answerTo('platform', refresh)).toBe('ack');
    expect(await payer.link.answerTo('platform', refresh)).toBe('nonce.unknown');
  });

  it('is served on its newest connection', async () => {
    const old = payer.link;
    payer.link = await TestLink.open(payer.service.linkUrl);
    payer.link.send('hello', payer.hello());
    await payer.device.increment();
    const evidence = await payer.device.platform({ nonce: await payer.platformNonce(), aud: ISSUER });
    expect(await payer.link.answerTo('platform', { evidence, log: payer.device.delta() })).toBe('welcome');
    expect(await old.closed()).toBe(1008);
  });

  it('has no agent whose manifest a stranger signed', async () => {
    payer.link.close();
    payer.link = await TestLink.open(payer.service.linkUrl);
    const forged = seal(AGENT_MANIFEST, { ...MANIFEST, agent: { ...MANIFEST.agent, id: 'example.forged' } }, withKid('publisher', 'nobody'));
    payer.link.send('hello', { ...payer.hello(), agents: [{ agentId: 'example.forged', manifestSha256: tokenHash(forged), jwk: payer.agent.jwk }] });
    await payer.device.increment();
    const evidence = await payer.device.platform({ nonce: await payer.platformNonce(), aud: ISSUER });
    expect(await payer.link.ask('platform', { evidence, log: payer.device.delta() })).toMatchObject({ type: 'welcome', body: { manifests: [tokenHash(forged)] } });
    const [page] = payer.manifestPages({ sha256: tokenHash(forged), token: forged });
    expect(await payer.link.answerTo('manifest', page!)).toBe('agent.manifest');
    expect((await payer.service.get(`/v1/delegation/devices/${payer.deviceId}/agents`)).agents).toEqual([]);
    await payer.reconnect();
  });

  it('reports what it refused itself, which is deposited', async () => {
    const before = (await store.chain(payer.deviceId)).length;
    expect(await payer.link.answerTo('refusal', { paymentId: freshId('pay'), intent: payer.intent(), code: 'mandate.unknown', message: 'no mandate' })).toBe('ack');
    const leaves = await store.chain(payer.deviceId);
    expect([leaves.length, readLeaf(leaves.at(-1)!.leaf).kind]).toEqual([before + 1, 'refused']);
  });

  it('learns whether its log continues what is known', async () => {
    expect(await payer.link.answerTo('log_append', { log: payer.device.delta() })).toBe('ack');
    expect(await payer.link.answerTo('log_append', { log: { ...payer.device.delta(), from: 50 } })).toBe('log.gap');
  });

  it('sees no payment of another device', async () => {
    expect(await payer.link.answerTo('settle_query', { paymentId: freshId('pay') })).toBe('intake.not_found');
  });

  it('pays no more once it was revoked, and its next connection is refused', async () => {
    const order = payer.order('revoke', payer.deviceId);
    expect((await payer.service.call('POST', '/v1/delegation/orders', { body: { order }, admin: false })).status).toBe(200);
    expect(await payer.link.next('revoked')).toMatchObject({ subject: payer.deviceId, state: 'revoked' });
    expect(await payer.link.answerTo('payment', await payer.attempt(payer.intent()))).toBe('device.revoked');
    await expect(payer.reconnect()).rejects.toThrow('device.revoked');
  });
});

describe('a mandate for a revoked device', () => {
  const submit = (mandate: string) => payer.service.call('POST', '/v1/delegation/mandates', { body: { device_id: payer.deviceId, mandate }, admin: false });

  it('is not registered, and none is that another key than the user\'s signed', async () => {
    expect((await submit(payer.mandateToken())).body.code).toBe('intake.not_found');
    const user = payer.user;
    payer.user = withKid('user', 'mallory');
    const forged = payer.mandateToken();
    payer.user = user;
    expect((await submit(forged)).body.code).toBe('mandate.signature');
    expect((await submit(payer.mandateToken({ sub: freshId('usr') }))).body.code).toBe('mandate.signature');
  });
});
