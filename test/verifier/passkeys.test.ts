import { sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../attest/bundle.js';
import { canonical, type Json } from '../../src/base/json.js';
import { encode } from '../../src/base/shape.js';
import type { LinkBody } from '../../src/link.js';
import { consentChallenge, userAssertion } from '../../src/objects/assertion.js';
import { type Confirmation, CONFIRMATION, confirmation as shape } from '../../src/objects/decision.js';
import { paymentHash } from '../../src/objects/intent.js';
import { seal } from '../../src/objects/signed.js';
import { kidOf } from '../../verifier/keys.js';
import type { Store } from '../../verifier/store/verbs.js';
import { type Made, ORIGIN, Passkey, RP } from '../support/passkey.js';
import { bundleText } from './support/bundle.js';
import { TestPayer } from './support/payer.js';
import { freshId } from './support/service.js';

let payer: TestPayer;
let store: Store;
const passkey = new Passkey((jwk) => kidOf('user', jwk));
beforeAll(async () => {
  payer = await TestPayer.start({}, `[passkeys]\nrp_id = "${RP}"\norigins = ["${ORIGIN}"]\n`);
  await payer.enrol();
  await payer.openCarrier();
  const add = payer.order('add', passkey.kid);
  expect((await payer.service.call('POST', '/v1/delegation/keys', { body: { order: add, jwk: { ...passkey.jwk }, passkey: true }, admin: false })).status).toBe(201);
  store = await payer.service.store();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});

const nowS = (): number => Math.floor(Date.now() / 1000);
async function waiting(): Promise<LinkBody<'payment'>> {
  await payer.giveMandate({ level: 'L2' });
  const message = await payer.attempt(payer.intent());
  await payer.decision(message);
  return message;
}
const termsOf = ({ intent, paymentId }: LinkBody<'payment'>, changes: Partial<Confirmation> = {}): Confirmation => ({
  jti: freshId('cnf'), sub: payer.userId, iat: nowS(), exp: nowS() + 300, paymentId, paymentSha256: paymentHash(intent), termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee, ...changes,
});
const confirm = (paymentId: string, terms: Confirmation, made: Made & { over?: Confirmation; by?: Passkey } = {}) =>
  payer.service.call('POST', `/v1/payment/payments/${paymentId}/assertions`, { body: { terms: encode(shape, terms), assertion: encode(userAssertion, (made.by ?? passkey).sign(consentChallenge(made.over ?? terms), made)) }, admin: false });

describe('a payment that the user confirms with a passkey', () => {
  it('succeeds, and a stranger verifies offline that the passkey consented to exactly this; without its assertion nobody believes it', async () => {
    const message = await waiting();
    expect((await confirm(message.paymentId, termsOf(message))).status).toBe(201);
    const second = await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 });
    const told = await payer.decision(second);
    const result = await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
    expect([told.state, result.state]).toEqual(['permitted', 'settled']);
    const { record } = (await store.deviceById(payer.deviceId))!;
    const trust = await payer.service.trust();
    const text = bundleText(payer, record, second, told, result);
    expect(verifyBundle(text, trust).firstBroken).toBeNull();
    const wire = JSON.parse(text) as Record<string, Json>;
    const broken = (changes: Record<string, Json>) => verifyBundle(canonical({ ...wire, ...changes }), trust).firstBroken;
    const other = new Passkey((jwk) => kidOf('user', jwk));
    const forged = (by: Passkey, over: Confirmation) => canonical(encode(userAssertion, { ...by.sign(consentChallenge(over)), kid: passkey.kid }));
    expect(broken({ user_assertion: null })).toBe('confirmation-intent');
    expect(broken({ user_assertion: forged(passkey, termsOf(message, { amount: { amount: 1n, currency: 'CNY' } })) })).toBe('confirmation-intent');
    expect(broken({ user_assertion: forged(other, termsOf(message)) })).toBe('confirmation-intent');
    expect(broken({ user_assertion: '{}' })).toBe('confirmation-intent');
    const again = await payer.link.ask('settle_query', { paymentId: message.paymentId });
    expect(again.type === 'decision' && again.body.userAssertion).toBe(told.userAssertion);
  });

  it('is not confirmed by an assertion over other terms, from another page, without verification, or with another passkey', async () => {
    const message = await waiting();
    const terms = termsOf(message);
    const codes = async (...made: (Made & { over?: Confirmation; by?: Passkey })[]) => Promise.all(made.map(async (one) => (await confirm(message.paymentId, terms, one)).body.code));
    expect(await codes({ over: termsOf(message) }, { client: { origin: 'https://evil.pay.example' } }, { flags: 0x01 }, { key: new Passkey((jwk) => kidOf('user', jwk)) })).toEqual(Array(4).fill('confirm.assertion'));
    expect(await codes({ by: new Passkey((jwk) => kidOf('user', jwk)) })).toEqual(['confirm.signature']);
    const other = await payer.service.user('not the payer');
    expect((await confirm(message.paymentId, termsOf(message, { sub: other.userId }))).body.code).toBe('confirm.signature');
    expect((await confirm(message.paymentId, termsOf(message, { amount: { amount: 1n, currency: 'CNY' } }))).body.code).toBe('confirm.mismatch');
    expect((await confirm(message.paymentId, termsOf(message, { iat: 1_700_000_000, exp: 1_700_000_060 }))).body.code).toBe('token.time');
  });

  it('notices a copy of the passkey by its counter', async () => {
    const [first, second, third] = [await waiting(), await waiting(), await waiting()];
    expect((await confirm(first.paymentId, termsOf(first), { counter: 5 })).status).toBe(201);
    expect((await confirm(second.paymentId, termsOf(second), { counter: 5 })).body.code).toBe('confirm.assertion');
    expect((await confirm(third.paymentId, termsOf(third), { counter: 6 })).status).toBe(201);
  });

  it('is not confirmed by a passkey that was revoked', async () => {
    const message = await waiting();
    const lost = new Passkey((jwk) => kidOf('user', jwk));
    await payer.service.call('POST', '/v1/delegation/keys', { body: { order: payer.order('add', lost.kid), jwk: { ...lost.jwk }, passkey: true }, admin: false });
    await payer.service.call('POST', '/v1/delegation/orders', { body: { order: payer.order('revoke', lost.kid) }, admin: false });
    expect((await confirm(message.paymentId, termsOf(message), { by: lost })).body.code).toBe('confirm.signature');
  });
});

it('a passkey signs no tokens', async () => {
  const message = await waiting();
  const signer = { kid: passkey.kid, jwk: passkey.jwk, sign: (data: Uint8Array) => sign('sha256', data, { key: passkey.private, dsaEncoding: 'ieee-p1363' }) };
  const token = seal(CONFIRMATION, termsOf(message), signer);
  expect((await payer.service.call('POST', `/v1/payment/payments/${message.paymentId}/confirmations`, { body: { token }, admin: false })).body.code).toBe('token.signature');
});
