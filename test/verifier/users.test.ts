import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLeaf } from '../../src/deposit/chain.js';
import type { Signer } from '../../src/base/jws.js';
import { USER_ORDER, type UserOrder } from '../../src/objects/carrier.js';
import { CONFIRMATION, DECISION } from '../../src/objects/decision.js';
import { paymentHash } from '../../src/objects/intent.js';
import { open, seal } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import type { Store } from '../../verifier/store/verbs.js';
import { KEY_DELAY_MS } from '../../verifier/userkeys.js';
import { TestPayer } from './support/payer.js';
import { freshId, withKid } from './support/service.js';

let payer: TestPayer;
let store: Store;
let trust: Trust;
let clockMs = 0;
beforeAll(async () => {
  payer = await TestPayer.start({ now: () => Date.now() + clockMs });
  await payer.enrol();
  await payer.openCarrier();
  store = await payer.service.store();
  trust = await payer.service.trust();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});

const nowS = (): number => Math.floor((Date.now() + clockMs) / 1000);
const order = (signer: Signer, userId: string, action: UserOrder['action'], subject: string) => seal(USER_ORDER, { jti: freshId('evt'), sub: userId, iat: nowS(), exp: nowS() + 60, action, subject }, signer);
const call: TestPayer['service']['call'] = (...args) => payer.service.call(...args);
const addKey = (signer: Signer, userId: string, key: Signer, subject = key.kid) => call('POST', '/v1/delegation/keys', { body: { order: order(signer, userId, 'add', subject), jwk: { ...key.jwk } }, admin: false });
const revokeKey = (signer: Signer, userId: string, kid: string) => call('POST', '/v1/delegation/orders', { body: { order: order(signer, userId, 'revoke', kid) }, admin: false });
const byOperator = (userId: string, key: Signer) => call('POST', `/v1/delegation/users/${userId}/keys`, { body: { jwk: { ...key.jwk } } });
/** Whether a key speaks for its user: it may ask for an order about something that is not there. */
const speaks = async (signer: Signer, userId: string) => (await call('POST', '/v1/delegation/orders', { body: { order: order(signer, userId, 'freeze', freshId('crr')) }, admin: false })).body.code === 'intake.not_found';
const pay = async () => open(DECISION, (await payer.decision(await payer.attempt(payer.intent()))).decision, trust.keys).value;

describe('the keys of a user', () => {
  it('are several: each speaks for her, and one adds another', async () => {
    const { userId, signer } = await payer.service.user('two keys');
    const second = withKid('user', 'her second key');
    expect((await addKey(signer, userId, second)).status).toBe(201);
    expect([await speaks(signer, userId), await speaks(second, userId)]).toEqual([true, true]);
    expect((await payer.service.get(`/v1/delegation/users/${userId}/keys`)).keys).toHaveLength(2);
  });

  it('are not added by a stranger, by an order for another key, or for another user', async () => {
    const { userId, signer } = await payer.service.user('careful');
    const [stranger, wanted] = [withKid('user', 'stranger key'), withKid('user', 'wanted key')];
    expect((await addKey(stranger, userId, wanted)).body.code).toBe('token.signature');
    expect((await addKey(signer, userId, wanted, signer.kid)).body.code).toBe('intake.malformed');
    expect((await addKey(signer, payer.userId, wanted)).body.code).toBe('token.signature');
    const freeze = order(signer, userId, 'freeze', wanted.kid);
    expect((await call('POST', '/v1/delegation/keys', { body: { order: freeze, jwk: { ...wanted.jwk } }, admin: false })).body.code).toBe('intake.malformed');
    expect(await speaks(wanted, userId)).toBe(false);
  });

  it('that are lost are revoked by another, and speak no more; nobody else revokes them', async () => {
    const { userId, signer } = await payer.service.user('lost a key');
    const spare = withKid('user', 'spare key');
    await addKey(signer, userId, spare);
    const other = await payer.service.user('not her');
    expect((await revokeKey(other.signer, other.userId, signer.kid)).body.code).toBe('intake.not_found');
    expect((await revokeKey(spare, userId, signer.kid)).body).toEqual({ subject: signer.kid, state: 'revoked' });
    expect([await speaks(signer, userId), await speaks(spare, userId)]).toEqual([false, true]);
    expect((await addKey(signer, userId, withKid('user', 'thief key'))).body.code).toBe('token.signature');
    expect((await revokeKey(spare, userId, signer.kid)).body.code).toBe('intake.not_found');
  });

  it('that the operator adds beside others speak after a day only, and can be revoked until then', async () => {
    const { userId, signer } = await payer.service.user('operator');
    const [replacement, forged] = [withKid('user', 'replacement'), withKid('user', 'forged replacement')];
    const { body } = await byOperator(userId, replacement);
    expect(body.from_ms).toBeGreaterThan(Date.now() + KEY_DELAY_MS - 60_000);
    expect((await byOperator(userId, replacement)).body).toEqual(body);
    await byOperator(userId, forged);
    expect(await speaks(replacement, userId)).toBe(false);
    expect((await revokeKey(signer, userId, forged.kid)).status).toBe(200);
    clockMs += KEY_DELAY_MS + 1000;
    expect([await speaks(replacement, userId), await speaks(forged, userId)]).toEqual([true, false]);
    expect((await call('POST', `/v1/delegation/users/${userId}/keys/${signer.kid}/revoke`, { body: {} })).status).toBe(200);
    expect(await speaks(signer, userId)).toBe(false);
    clockMs -= KEY_DELAY_MS + 1000;
  });

  it('of an organisation are a person\'s each', async () => {
    const { user_id: userId } = await payer.service.post('/v1/delegation/users', { kind: 'organisation' });
    const [cfo, ceo] = [withKid('user', 'cfo'), withKid('user', 'ceo')];
    expect((await byOperator(userId, cfo)).body.from_ms).toBe(0);
    await addKey(cfo, userId, ceo);
    expect([await speaks(cfo, userId), await speaks(ceo, userId)]).toEqual([true, true]);
  });
});

describe('a key that is revoked', () => {
  it('has its mandates pay nothing from the answer on, and its consent is worth nothing', async () => {
    const spare = withKid('user', 'the payer\'s spare');
    await addKey(payer.user, payer.userId, spare);
    await payer.giveMandate();
    expect((await pay()).decision).toBe('permit');
    await payer.giveMandate({ level: 'L2' });
    const waiting = await payer.attempt(payer.intent());
    await payer.decision(waiting);
    const lost = payer.user;
    expect((await call('POST', `/v1/payment/payments/${waiting.paymentId}/confirmations`, { body: { token: payer.confirmation(waiting) }, admin: false })).status).toBe(201);
    expect((await revokeKey(spare, payer.userId, lost.kid)).status).toBe(200);
    expect(await pay()).toMatchObject({ decision: 'deny', findings: expect.arrayContaining([expect.objectContaining({ code: 'mandate.signature' })]) });
    expect((await store.chain(payer.userId)).map(({ leaf }) => readLeaf(leaf).kind)).toEqual(['rules_changed', 'rules_changed', 'revoked']);
    const again = await payer.decision(await payer.attempt(waiting.intent, { paymentId: waiting.paymentId, attempt: 2 }));
    expect(open(DECISION, again.decision, trust.keys).value).toMatchObject({ decision: 'deny', inputs: { confirmationSha256: null } });
    payer.user = spare;
    await payer.giveMandate();
    expect((await pay()).decision).toBe('permit');
  });
});

describe('a confirmation', () => {
  it('may come from another terminal, with another key of the same user', async () => {
    const phone = withKid('user', 'her phone');
    await addKey(payer.user, payer.userId, phone);
    await payer.giveMandate({ level: 'L2' });
    const { intent, paymentId, ...message } = await payer.attempt(payer.intent());
    await payer.decision({ ...message, intent, paymentId });
    const token = seal(CONFIRMATION, { jti: freshId('cnf'), sub: payer.userId, iat: nowS(), exp: nowS() + 300, paymentId, paymentSha256: paymentHash(intent), termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee }, phone);
    expect((await call('POST', `/v1/payment/payments/${paymentId}/confirmations`, { body: { token }, admin: false })).status).toBe(201);
    expect(await payer.decision(await payer.attempt(intent, { paymentId, attempt: 2 }))).toMatchObject({ state: 'permitted', confirmation: token });
  });
});

describe('a second user of a device', () => {
  const bind = (code: string, consent: string) => call('POST', `/v1/trust/devices/${payer.deviceId}/users`, { body: { code, order: consent }, admin: false });
  const codeFor = async (userId: string): Promise<string> => (await payer.service.post('/v1/trust/enrol-codes', { user_id: userId })).code;
  /** Does something as another user. */
  const as = async <T>(who: { userId: string; signer: Signer }, run: () => Promise<T>): Promise<T> => {
    const [userId, user, carrierId, mandate] = [payer.userId, payer.user, payer.carrierId, payer.mandate];
    Object.assign(payer, { userId: who.userId, user: who.signer, carrierId: freshId('crr') });
    try {
      return await run();
    } finally {
      Object.assign(payer, { userId, user, carrierId, mandate });
    }
  };

  it('comes with a code of her own and the order of the device\'s user; then her mandates pay from her carrier alone', async () => {
    const bob = await payer.service.user('bob');
    await as(bob, async () => {
      await payer.openCarrier();
      await expect(payer.giveMandate()).rejects.toThrow('intake.not_found');
    });
    const consent = order(payer.user, payer.userId, 'add', payer.deviceId);
    expect((await bind(await codeFor(bob.userId), consent)).body).toEqual({ user_id: bob.userId });
    const own = (await store.carrier(payer.carrierId))!.spent;
    await as(bob, async () => {
      await payer.openCarrier();
      await payer.giveMandate();
      expect((await pay()).decision).toBe('permit');
    });
    expect((await store.carrier(payer.carrierId))!.spent).toBe(own);
  });

  it('does not come without either: no code, a used code, her own consent, consent to something else', async () => {
    const eve = await payer.service.user('eve');
    const consent = () => order(payer.user, payer.userId, 'add', payer.deviceId);
    const code = await codeFor(eve.userId);
    expect((await bind('no such code', consent())).body.code).toBe('enrol.code');
    expect((await bind(code, order(eve.signer, eve.userId, 'add', payer.deviceId))).body.code).toBe('intake.not_found');
    expect((await bind(code, order(payer.user, payer.userId, 'freeze', payer.deviceId))).body.code).toBe('intake.malformed');
    expect((await bind(code, order(payer.user, payer.userId, 'add', freshId('dev')))).body.code).toBe('intake.malformed');
    expect((await bind(code, consent())).status).toBe(201);
    expect((await bind(code, consent())).body.code).toBe('enrol.code');
  });

  it('brings nobody with her: the order lets in one, once', async () => {
    const [bob, eve] = [await payer.service.user('bob again'), await payer.service.user('eve again')];
    const consent = order(payer.user, payer.userId, 'add', payer.deviceId);
    expect((await bind('a mistyped code', consent)).body.code, 'which does not use up the order').toBe('enrol.code');
    expect((await bind(await codeFor(bob.userId), consent)).status).toBe(201);
    const code = await codeFor(eve.userId);
    expect((await bind(code, consent)).body.code).toBe('store.conflict');
    expect(await store.usersOfDevice(payer.deviceId)).not.toContain(eve.userId);
    expect((await bind(code, order(payer.user, payer.userId, 'add', payer.deviceId))).status, 'nor her code').toBe(201);
  });
});

describe('a key that is revoked while a payment is judged', () => {
  /** Done once, just before the verifier reads the carrier for a decision. */
  let meanwhile: (() => Promise<unknown>) | null = null;
  beforeAll(async () => {
    const own = await payer.service.store();
    const authority: Store['authority'] = async (input) => {
      const work = meanwhile;
      meanwhile = null;
      await work?.();
      return own.authority(input);
    };
    await payer.service.restart({ now: () => Date.now() + clockMs, store: { ...own, authority } });
    await payer.reconnect();
    payer.carrierId = freshId('crr');
    await payer.openCarrier();
  });
  const added = async (name: string): Promise<Signer> => {
    const key = withKid('user', name);
    await addKey(payer.user, payer.userId, key);
    return key;
  };

  it('permits nothing under a mandate that it signed', async () => {
    const [first, lost] = [payer.user, await added('lost while a payment is judged')];
    payer.user = lost;
    await payer.giveMandate();
    payer.user = first;
    meanwhile = () => revokeKey(first, payer.userId, lost.kid);
    expect(await pay()).toMatchObject({ decision: 'deny', findings: expect.arrayContaining([expect.objectContaining({ code: 'mandate.signature' })]) });
  });

  it('allows nothing ahead under a mandate that it signed', async () => {
    const [first, lost] = [payer.user, await added('lost while an allowance is issued')];
    payer.carrierId = freshId('crr');
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rules: { offline: { maxCount: 2, maxTotal: 2000n } } as never }) });
    await payer.service.post(`/v1/delegation/carriers/${payer.carrierId}/fund`, { event_id: 'first', amount: 100_000 });
    payer.user = lost;
    const mandateId = await payer.giveMandate();
    payer.user = first;
    meanwhile = () => revokeKey(first, payer.userId, lost.kid);
    expect(await payer.link.ask('allowance_ask', { mandateId })).toMatchObject({ type: 'error', body: { code: 'mandate.signature' } });
  });

  it('permits nothing by the consent that it gave', async () => {
    const lost = await added('lost while a consent is judged');
    await payer.giveMandate({ level: 'L2' });
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    const { intent, paymentId } = message;
    const token = seal(CONFIRMATION, { jti: freshId('cnf'), sub: payer.userId, iat: nowS(), exp: nowS() + 300, paymentId, paymentSha256: paymentHash(intent), termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee }, lost);
    expect((await call('POST', `/v1/payment/payments/${paymentId}/confirmations`, { body: { token }, admin: false })).status).toBe(201);
    meanwhile = () => revokeKey(payer.user, payer.userId, lost.kid);
    expect(await payer.decision(await payer.attempt(intent, { paymentId, attempt: 2 }))).toMatchObject({ state: 'confirm_required', confirmation: null });
  });
});
