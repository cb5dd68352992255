import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../attest/bundle.js';
import { readLeaf, verifyChain } from '../../src/deposit/chain.js';
import type { LinkBody } from '../../src/link.js';
import { DECISION } from '../../src/objects/decision.js';
import type { Intent } from '../../src/objects/intent.js';
import { RECEIPT, REFUND } from '../../src/objects/settlement.js';
import { open, tokenHash } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { loadKeys } from '../../verifier/keys.js';
import { loadConfig } from '../../verifier/config.js';
import type { Store } from '../../verifier/store/verbs.js';
import { Psp } from '../support/psp/process.js';
import { startVerifier } from '../../verifier/main.js';
import { closeMandate } from '../../src/sdjwt/index.js';
import { closedFor } from '../support/examples.js';
import { bundleText } from './support/bundle.js';
import { TestPayer } from './support/payer.js';
import { freshId, ISSUER, withKid } from './support/service.js';

/** Payments through a provider that is a process of its own, over the real link and API. */
let dir: string;
let psp: Psp;
let payer: TestPayer;
let store: Store;
let trust: Trust;
let clockMs = 0;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-settle-'));
  psp = await Psp.prepare(dir);
  payer = await TestPayer.start({ now: () => Date.now() + clockMs }, `[roles.settlement]\nadapter = "http"\npsp_url = "${psp.url}"\npsp_key_file = "${psp.keyFile}"\n`);
  await psp.start(loadKeys(loadConfig(join(payer.service.dir, 'verifier.toml')).keys.dir, 'log.verifier.example').settlement.jwk);
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate({ level: 'L2' });
  store = await payer.service.store();
  trust = await payer.service.trust();
});
afterEach(async () => {
  expect(await store.ledgerSum()).toBe(0n);
  verifyChain((await store.chain(payer.carrierId)).map(({ leaf }) => leaf));
});
afterAll(async () => {
  await store.close();
  await payer.stop();
  await psp.kill();
  rmSync(dir, { recursive: true });
});

const cny = (amount: bigint) => ({ amount, currency: 'CNY' });
const inDays = (days: number): number => Math.floor((Date.now() + clockMs) / 1000) + days * 86_400;
const balance = async () => (await store.carrier(payer.carrierId))!;
const moved = (id: string) => psp.book().filter((entry) => entry.id === id && entry.outcome === 'settled').map(({ amount }) => amount);
/** The payee presents the token with what it was shown: the mandate and the closed mandate. */
const redeem = (token: string, amount: number, { mandate, closedMandate }: LinkBody<'payment'>) => payer.service.call('POST', '/v1/payment/redemptions', { body: { token, amount, mandate, closed_mandate: closedMandate }, admin: false });
const refund = (paymentId: string, amount: number, refundId = freshId('evt')) => payer.service.call('POST', `/v1/payment/payments/${paymentId}/refunds`, { body: { refund_id: refundId, amount } });
const kinds = async (paymentId: string) => (await store.leavesOfPayment((await store.payment(paymentId))!.paymentSha256)).map(({ leaf }) => readLeaf(leaf).kind);

/** A payment that the user has confirmed. */
async function permitted(changes: Partial<Intent> = {}) {
  await payer.giveMandate({ level: 'L2' });
  const asked = await payer.attempt(payer.intent(changes));
  await payer.decision(asked);
  await payer.service.call('POST', `/v1/payment/payments/${asked.paymentId}/confirmations`, { body: { token: payer.confirmation(asked) }, admin: false });
  const message = await payer.attempt(asked.intent, { paymentId: asked.paymentId, attempt: 2 });
  const told = await payer.decision(message);
  expect([told.state, open(DECISION, told.decision, trust.keys).value.code]).toEqual(['permitted', null]);
  return { message, told, paymentId: asked.paymentId };
}
const executed = (paymentId: string) => payer.link.next('execution', (body) => body.paymentId === paymentId);
const offline = async (message: LinkBody<'payment'>, told: LinkBody<'decision'>, result: LinkBody<'execution'>) => {
  const { record } = (await store.deviceById(payer.deviceId))!;
  return verifyBundle(bundleText(payer, record, message, told, result), trust);
};

describe('a payment that is paid at once', () => {
  it('moves its exact amount at the provider, and the receipt names the provider\'s own reference', async () => {
    const { paymentId } = await permitted();
    const { receipt, state } = await executed(paymentId);
    const { value } = open(RECEIPT, receipt!, trust.keys);
    const { jti } = (await store.executionToken(paymentId))!;
    expect([state, value.pspConfirmationId, moved(jti)]).toEqual(['settled', `psp-${jti}`, ['9900']]);
  });

  it('cannot be captured by its payee a second time: the same request is answered with the receipt, another is refused', async () => {
    const { paymentId, message } = await permitted();
    const { execution, receipt } = await executed(paymentId);
    const { spent } = await balance();
    expect((await redeem(execution!, 9900, message)).body).toMatchObject({ payment_id: paymentId, state: 'settled', receipt });
    expect((await redeem(execution!, 9899, message)).body.code).toBe('token.amount');
    expect((await balance()).spent).toBe(spent);
  });

  it('whose provider dies after the money moved is paid once: the outcome is asked for when it is back', async () => {
    await psp.next('die_after');
    const { paymentId } = await permitted();
    expect((await executed(paymentId)).state).toBe('outcome_unknown');
    await psp.died();
    await psp.start(loadKeys(payer.service.config.keys.dir, 'log.verifier.example').settlement.jwk);
    await payer.link.ask('settle_query', { paymentId });
    expect((await executed(paymentId)).state).toBe('settled');
    expect(moved((await store.executionToken(paymentId))!.jti)).toEqual(['9900']);
  });

  it('that the provider declines gives the money back', async () => {
    const { spent, available } = await balance();
    await psp.next('decline');
    const { paymentId } = await permitted();
    expect((await executed(paymentId)).state).toBe('failed');
    expect(await balance()).toMatchObject({ spent, available, reserved: 0n });
    expect((await refund(paymentId, 1)).body.code).toBe('refund.not_settled');
  });
});

describe('a payment up to an amount', () => {
  it('waits for its payee, who captures a part once; the rest goes back, and a stranger can verify it', async () => {
    const before = await balance();
    const { paymentId, message, told } = await permitted({ bound: 'max' });
    const waiting = await executed(paymentId);
    expect([waiting.state, waiting.receipt, (await balance()).reserved]).toEqual(['released', null, 9900n]);
    expect((await redeem(waiting.execution!, 9901, message)).body.code).toBe('token.amount');
    expect((await redeem(waiting.execution!, 0, message)).body.code).toBe('token.amount');
    expect((await redeem(waiting.execution!, 6000, message)).body).toMatchObject({ state: 'settled' });
    const result = await executed(paymentId);
    expect(open(RECEIPT, result.receipt!, trust.keys).value.amount).toEqual(cny(6000n));
    const after = await balance();
    expect([before.available - after.available, after.spent - before.spent, after.reserved]).toEqual([6000n, 6000n, 0n]);
    expect((await redeem(waiting.execution!, 3000, message)).body.code).toBe('token.used');
    expect((await offline(message, told, result)).firstBroken).toBeNull();
  });

  it('is not captured after the token\'s life, and its money is free again after the reservation\'s', async () => {
    const { paymentId, message } = await permitted({ bound: 'max' });
    const { execution } = await executed(paymentId);
    const { reserved } = await balance();
    clockMs += 130_000;
    expect((await redeem(execution!, 100, message)).body.code).toBe('token.expired');
    await store.expireReservations(Date.now() + 700_000);
    expect([(await store.payment(paymentId))!.state, reserved - (await balance()).reserved]).toEqual(['expired', 9900n]);
    clockMs -= 130_000;
  });

  it('is not captured by who has only the token: the closed mandate that it is bound to must come with it', async () => {
    const other = await permitted({ bound: 'max' });
    await executed(other.paymentId);
    const { paymentId, message } = await permitted({ bound: 'max' });
    const token = (await executed(paymentId)).execution!;
    const bearing = async (changes: Partial<LinkBody<'payment'>>) => (await redeem(token, 100, { ...message, ...changes })).body.code as string;
    const { intent, evidence, mandate } = message;
    const forged = closeMandate({ mandateToken: mandate!, closed: { ...closedFor(intent), iat: inDays(0), exp: inDays(1) }, aud: ISSUER, nonce: evidence.binding.nonce, iat: inDays(0) }, withKid('user', 'a thief'), Buffer.alloc(16, 1));
    expect([await bearing({ closedMandate: other.message.closedMandate }), await bearing({ closedMandate: forged }), await bearing({ mandate: other.message.mandate })]).toEqual(['token.holder', 'token.holder', 'token.holder']);
    expect((await payer.service.call('POST', '/v1/payment/redemptions', { body: { token, amount: 100 }, admin: false })).body.code).toBe('intake.malformed');
    expect((await redeem(token, 100, message)).body.state).toBe('settled');
  });

  it('takes no token that this verifier did not issue, or that was changed', async () => {
    const { paymentId, message } = await permitted({ bound: 'max' });
    const token = (await executed(paymentId)).execution!;
    const [head = '', body = '', signature = ''] = token.split('.');
    const dearer = Buffer.from(Buffer.from(body, 'base64url').toString().replace('9900', '9999')).toString('base64url');
    expect((await redeem(`${head}.${dearer}.${signature}`, 9999, message)).body.code).toBe('token.signature');
    expect((await redeem(token, 1, message)).body.state).toBe('settled');
  });
});

describe('a payment that is captured later', () => {
  it('is captured days after its token\'s life, within the time that the user confirmed', async () => {
    const { paymentId, message, told } = await permitted({ bound: 'max', captureUntil: inDays(0) + 40_000 });
    const { execution } = await executed(paymentId);
    clockMs += 30_000_000;
    await store.expireReservations(Date.now() + clockMs);
    expect((await balance()).reserved).toBeGreaterThanOrEqual(9900n);
    expect((await redeem(execution!, 9900, message)).body).toMatchObject({ state: 'settled' });
    clockMs -= 30_000_000;
    const result = await executed(paymentId);
    expect((await offline(message, told, result)).firstBroken).toBeNull();
  });

  it('is not captured after that time: the money is back', async () => {
    const { paymentId, message } = await permitted({ captureUntil: inDays(0) + 1000 });
    const { execution } = await executed(paymentId);
    clockMs += 1_001_000;
    expect((await redeem(execution!, 9900, message)).body.code).toBe('token.expired');
    await store.expireReservations(Date.now() + clockMs);
    expect((await redeem(execution!, 9900, message)).body.code).toBe('token.expired');
    expect((await store.payment(paymentId))!.state).toBe('expired');
    clockMs -= 1_001_000;
  });

  it('is over for its device too, as soon as its time is over: it is told, and does not find out by connecting anew', async () => {
    const { paymentId } = await permitted({ captureUntil: inDays(0) + 1000 });
    expect((await executed(paymentId)).state).toBe('released');
    clockMs += 1_001_000;
    const { deposit } = payer.service.config;
    const other = await startVerifier({ ...payer.service.config, deposit: { ...deposit, dir: join(dir, 'log') } }, { logger: pino({ level: 'silent' }), now: () => Date.now() + clockMs });
    expect(await executed(paymentId)).toMatchObject({ state: 'expired', receipt: null });
    await other.close();
    clockMs -= 1_001_000;
  });

  it('is not permitted beyond the life of the carrier', async () => {
    const told = await payer.decision(await payer.attempt(payer.intent({ captureUntil: inDays(30) })));
    expect(open(DECISION, told.decision, trust.keys).value.code).toBe('carrier.hold');
  });

  it('is captured once by two who try at the same moment, one amount each', async () => {
    const { paymentId, message } = await permitted({ bound: 'max', captureUntil: inDays(0) + 1000 });
    const { execution } = await executed(paymentId);
    const answers = await Promise.all([redeem(execution!, 4000, message), redeem(execution!, 5000, message)]);
    expect(answers.map(({ body }) => body.state ?? body.code).sort()).toEqual(['settled', 'token.used']);
    expect(moved((await store.executionToken(paymentId))!.jti)).toHaveLength(1);
  });
});

describe('a refund', () => {
  const paid = async () => {
    const { paymentId } = await permitted();
    await executed(paymentId);
    return paymentId;
  };

  it('goes back to the carrier, with a receipt of its own kind and a leaf; what the rules counted stays counted', async () => {
    const paymentId = await paid();
    const before = await balance();
    const answer = await refund(paymentId, 4000);
    const { value } = open(REFUND, answer.body.refund, trust.keys);
    expect(value).toMatchObject({ amount: cny(4000n), paymentId, receiptSha256: tokenHash((await store.receipt(paymentId))!), pspConfirmationId: `psp-${answer.body.refund_id}` });
    expect(() => open(RECEIPT, answer.body.refund, trust.keys)).toThrow();
    const after = await balance();
    expect([after.available - before.available, after.spent]).toEqual([4000n, before.spent]);
    expect(await kinds(paymentId)).toEqual(['confirm_required', 'confirmed', 'permitted', 'settled', 'refunded']);
    expect((await payer.service.get(`/v1/payment/payments/${paymentId}`)).refunds).toMatchObject([{ amount: 4000, state: 'settled' }]);
  });

  it('is made once, and never above what was captured', async () => {
    const paymentId = await paid();
    const refundId = freshId('evt');
    const { available } = await balance();
    for (let i = 0; i < 2; i++) expect((await refund(paymentId, 9000, refundId)).body.state).toBe('settled');
    expect((await balance()).available - available).toBe(9000n);
    expect((await refund(paymentId, 8000, refundId)).body.code).toBe('store.conflict');
    expect((await refund(paymentId, 901)).body.code).toBe('refund.amount');
    expect((await refund(paymentId, 0)).body.code).toBe('intake.malformed');
    const last = await Promise.all([refund(paymentId, 900), refund(paymentId, 900)]);
    expect(last.map(({ body }) => body.state ?? body.code).sort()).toEqual(['refund.amount', 'settled']);
  });

  it('whose answer is lost is asked for and never made again', async () => {
    const paymentId = await paid();
    const refundId = freshId('evt');
    const { available } = await balance();
    await psp.next('lose');
    expect((await refund(paymentId, 500, refundId)).body.code).toBe('settle.outcome_unknown');
    expect((await balance()).available).toBe(available);
    expect((await refund(paymentId, 500, refundId)).body.state).toBe('settled');
    expect([(await balance()).available - available, moved(refundId)]).toEqual([500n, ['500']]);
  });

  it('that the provider declines gives nothing back, and leaves its amount to be refunded', async () => {
    const paymentId = await paid();
    const { available } = await balance();
    await psp.next('decline');
    expect((await refund(paymentId, 9900)).body.state).toBe('failed');
    expect((await balance()).available).toBe(available);
    expect((await refund(paymentId, 9900)).body.state).toBe('settled');
  });

  it('reaches a carrier that was revoked meanwhile, from which the user takes it back to her main account', async () => {
    const own = payer.carrierId;
    payer.carrierId = freshId('crr');
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest() });
    await payer.service.post(`/v1/delegation/carriers/${payer.carrierId}/fund`, { event_id: freshId('evt'), amount: 9900 });
    const paymentId = await paid();
    await payer.service.call('POST', '/v1/delegation/orders', { body: { order: payer.order('revoke', payer.carrierId) }, admin: false });
    expect((await refund(paymentId, 9900)).body.state).toBe('settled');
    const back = (eventId: string, amount: number) => payer.service.call('POST', `/v1/delegation/carriers/${payer.carrierId}/return`, { body: { event_id: eventId, amount } });
    expect((await back('r1', 9901)).body.code).toBe('carrier.funds');
    for (let i = 0; i < 2; i++) expect((await back('r1', 9900)).body).toMatchObject({ available: 0, state: 'revoked' });
    payer.carrierId = own;
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rev: 2 }) });
  });
});

describe('a dispute', () => {
  const dispute = (order: string) => payer.service.call('POST', '/v1/payment/disputes', { body: { order }, admin: false });

  it('is the user\'s word against a settled payment: deposited once, and it moves no money', async () => {
    const { paymentId } = await permitted();
    await executed(paymentId);
    const before = await balance();
    const order = payer.order('dispute', paymentId);
    for (let i = 0; i < 2; i++) expect((await dispute(order)).body).toEqual({ subject: paymentId, state: 'disputed' });
    expect((await payer.service.get(`/v1/payment/payments/${paymentId}`)).dispute).toBe('open');
    expect(await balance()).toEqual(before);
  });

  it('is for the payer alone, and for what was settled', async () => {
    const { paymentId } = await permitted({ bound: 'max' });
    expect((await dispute(payer.order('dispute', paymentId))).body.code).toBe('refund.not_settled');
    expect((await dispute(payer.order('dispute', freshId('pay')))).body.code).toBe('intake.not_found');
    expect((await dispute(payer.order('revoke', paymentId))).body.code).toBe('intake.malformed');
    expect((await dispute(payer.order('dispute', payer.carrierId))).body.code).toBe('intake.not_found');
    const other = await payer.service.user('mallory');
    const [userId, user] = [payer.userId, payer.user];
    [payer.userId, payer.user] = [other.userId, other.signer];
    const foreign = payer.order('dispute', paymentId);
    [payer.userId, payer.user] = [userId, user];
    expect((await dispute(foreign)).body.code).toBe('intake.not_found');
  });
});
