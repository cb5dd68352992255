import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBytes } from 'node:crypto';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { DECISION, type Decision } from '../../src/objects/decision.js';
import { type Intent, paymentHash } from '../../src/objects/intent.js';
import { leafHash } from '../../src/objects/leaf.js';
import { EXECUTION_TOKEN, RECEIPT } from '../../src/objects/settlement.js';
import { open, tokenHash } from '../../src/objects/signed.js';
import { readLeaf, verifyChain } from '../../src/deposit/chain.js';
import { verifyProof } from '../../src/deposit/proof.js';
import type { Trust } from '../../src/objects/trust.js';
import type { LinkBody } from '../../src/link.js';
import type { Store } from '../../verifier/store/verbs.js';
import type { Mandate } from '../../src/objects/mandate.js';
import { claimsFor } from '../support/device.js';
import { STRANGER } from '../support/keys.js';
import { freshId } from './support/service.js';
import { verifyBundle } from '../../attest/bundle.js';
import { bundleText } from './support/bundle.js';
import { TestPayer } from './support/payer.js';

let payer: TestPayer;
let trust: Trust;
let store: Store;
let mandateId: string;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  mandateId = await payer.giveMandate();
  trust = await payer.service.trust();
  store = await payer.service.store();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});

const ruling = ({ decision }: LinkBody<'decision'>): Decision => open(DECISION, decision, trust.keys).value;
const leafOf = (told: LinkBody<'decision'>) => {
  verifyProof(told.leaf, told.proof, trust.logs);
  return readLeaf(told.leaf);
};
const pay = async (changes: Partial<Intent> = {}) => payer.decision(await payer.attempt(payer.intent(changes)));
const balance = async () => (await store.carrier(payer.carrierId))!;

/** What a stranger makes of the payment with nothing but the published keys. */
const offline = async (sent: LinkBody<'payment'>, told: LinkBody<'decision'>, result?: LinkBody<'execution'>) => {
  const { record } = (await store.deviceById(payer.deviceId))!;
  const { firstBroken, edges, verdict } = verifyBundle(bundleText(payer, record, sent, told, result), trust);
  return { broken: edges.find(({ edge }) => edge === firstBroken) ?? null, verdict };
};

describe('a payment within its rules', () => {
  it('is permitted, its leaf deposited before the token, the exact amount captured, and every hash names the object before it', async () => {
    const before = await balance();
    const message = await payer.attempt(payer.intent());
    const told = await payer.decision(message);
    const executed = await payer.link.next('execution');
    const token = open(EXECUTION_TOKEN, executed.execution!, trust.keys).value;
    const receipt = open(RECEIPT, executed.receipt!, trust.keys).value;
    expect(told.state).toBe('permitted');
    expect(leafOf(told)).toMatchObject({ kind: 'permitted', payment: paymentHash(message.intent), decision: tokenHash(told.decision), ear: tokenHash(told.ear!), execution: null });
    expect(token).toMatchObject({ decisionSha256: tokenHash(told.decision), amount: message.intent.amount, payee: message.intent.payee, closedSha256: message.evidence.binding.closedSha256 });
    expect(verifyProof(told.leaf, token.proof, trust.logs)).toBeDefined();
    expect(receipt).toMatchObject({ status: 'Success', reference: token.closedSha256, executionSha256: tokenHash(executed.execution!) });
    expect(verifyProof(executed.leaf!, executed.proof!, trust.logs)).toBeDefined();
    expect(readLeaf(executed.leaf!)).toMatchObject({ kind: 'settled', execution: tokenHash(executed.execution!), receipt: tokenHash(executed.receipt!) });
    const after = await balance();
    expect([after.spent - before.spent, before.available - after.available, after.reserved]).toEqual([9900n, 9900n, 0n]);
    expect(await store.ledgerSum()).toBe(0n);
    expect(await offline(message, told, executed)).toMatchObject({ broken: null, verdict: { decision: 'permit', settled: true, tier: 'T2', simulated: true } });
  });

  it('gets its stored answer when the device repeats itself after a lost answer: nothing is paid twice', async () => {
    const message = await payer.attempt(payer.intent());
    const first = await payer.decision(message);
    const paid = await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
    const before = await balance();
    const again = await payer.decision(message);
    const paidAgain = await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
    expect([again.decision, again.leaf, paidAgain.execution, paidAgain.receipt]).toEqual([first.decision, first.leaf, paid.execution, paid.receipt]);
    expect((await balance()).spent).toBe(before.spent);
    const asked = await payer.link.ask('settle_query', { paymentId: message.paymentId });
    expect(asked.type === 'decision' && asked.body.decision).toBe(first.decision);
  });

  it('keeps its key: another intent under the same idempotency key is refused', async () => {
    const intent = payer.intent();
    const first = await payer.attempt(intent);
    await payer.decision(first);
    await payer.link.next('execution', ({ paymentId }) => paymentId === first.paymentId);
    expect(await payer.link.answerTo('payment', await payer.attempt({ ...intent, amount: { amount: 1n, currency: 'CNY' } }))).toBe('intake.idempotency_conflict');
  });
});

describe('a payment against its rules', () => {
  const denied: [string, Partial<Intent>, string][] = [
    ['over the limit of one payment', { amount: { amount: 20_001n, currency: 'CNY' } }, 'carrier.per_payment'],
    ['to a payee that is not listed', { payee: { id: 'stranger', origin: 'https://stranger.example', name: null } }, 'carrier.payee'],
    ['in another currency', { amount: { amount: 100n, currency: 'EUR' } }, 'mandate.amount'],
    ['after it expired', { expiresAt: 1_700_000_000 }, 'decision.intent_expired'],
  ];
  it.each(denied)('%s is denied with its reason, and deposited', async (_, changes, code) => {
    const before = await balance();
    const message = await payer.attempt(payer.intent(changes));
    const told = await payer.decision(message);
    expect([told.state, ruling(told).code]).toEqual(['denied', code]);
    expect(await offline(message, told)).toMatchObject({ broken: null, verdict: { decision: 'deny', code } });
    expect(leafOf(told)).toMatchObject({ kind: 'denied', code });
    expect(await balance()).toMatchObject({ spent: before.spent, reserved: before.reserved });
  });

  it('out of a carrier that the mandate does not name is denied, and nothing of that carrier is told', async () => {
    const own = payer.carrierId;
    const told = await pay({ carrierId: freshId('crr') });
    expect(ruling(told).decision).toBe('deny');
    expect(told.authority.carrier?.carrierId ?? own).toBe(own);
  });

  it('by an agent whose program was changed is denied by the appraisal, with the reason', async () => {
    const claims = claimsFor(payer.manifest);
    const changed = { ...claims, tree: { ...claims.tree, sha256: sha256('other tree'), drift: [{ path: 'shopper.mjs', kind: 'changed' as const, sha256: sha256('other file') }] } };
    const message = await payer.attempt(payer.intent(), { agent: changed });
    const told = await payer.decision(message);
    expect(told.state).toBe('denied');
    expect(await offline(message, told)).toMatchObject({ broken: null, verdict: { decision: 'deny' } });
    expect(ruling(told).code).toMatch(/^agent\./);
  });

  it('without a mandate is denied', async () => {
    const message = await payer.attempt(payer.intent());
    expect(ruling(await payer.decision({ ...message, mandate: null, closedMandate: null })).decision).toBe('deny');
  });
});

describe('evidence that is not what it says', () => {
  const nothingMoved = async (run: () => Promise<void>) => {
    const [before, clock] = [await balance(), await store.clock(payer.device.akName.toString('hex'))];
    await run();
    expect(await balance()).toEqual(before);
    expect(await store.clock(payer.device.akName.toString('hex'))).toEqual(clock);
  };

  it('is a replay under another payment id: denied as a used nonce, and nothing else moves', async () => {
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
    await nothingMoved(async () => {
      const told = await payer.decision({ ...message, paymentId: freshId('pay') });
      expect([told.state, ruling(told).code, told.ear]).toEqual(['denied', 'nonce.used', null]);
      expect(leafOf(told)).toMatchObject({ kind: 'denied', code: 'nonce.used' });
      expect(await offline(message, told)).toMatchObject({ broken: null, verdict: { decision: 'deny', code: 'nonce.used' } });
    });
  });

  it('is replayed over a new connection of the device and is refused all the same', async () => {
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    await payer.reconnect();
    expect(ruling(await payer.decision({ ...message, paymentId: freshId('pay') })).code).toBe('nonce.used');
  });

  it('is over a nonce that this verifier never gave', async () => {
    await nothingMoved(async () => {
      expect(ruling(await payer.decision(await payer.attempt(payer.intent(), { nonce: toB64u(randomBytes(32)) }))).code).toBe('nonce.unknown');
    });
  });

  it.each([
    ['another amount than the device bound', (m: LinkBody<'payment'>) => ({ ...m, intent: { ...m.intent, amount: { amount: 1n, currency: 'CNY' } } }), 'binding.mismatch'],
    ['another sequence than the TPM signed', (m: LinkBody<'payment'>) => ({ ...m, evidence: { ...m.evidence, binding: { ...m.evidence.binding, seq: m.evidence.binding.seq + 1 } } }), 'quote.nonce'],
    ['claims of another agent than was bound', (m: LinkBody<'payment'>) => ({ ...m, evidence: { ...m.evidence, agent: { ...m.evidence.agent, process: { ...m.evidence.agent.process, uid: 0 } } } }), 'binding.mismatch'],
    ['a platform part that nobody has seen', (m: LinkBody<'payment'>) => ({ ...m, evidence: { ...m.evidence, binding: { ...m.evidence.binding, platformSha256: sha256('unseen') } } }), 'quote.missing'],
    ['the closed mandate of another payment', (m: LinkBody<'payment'>) => ({ ...m, closedMandate: `${m.closedMandate!.slice(0, -2)}A~` }), 'binding.mismatch'],
  ])('shows %s: denied, and its nonce is spent', async (_, tamper, code) => {
    const message = await payer.attempt(payer.intent());
    await nothingMoved(async () => {
      const told = await payer.decision(tamper(message));
      expect([told.state, ruling(told).code, told.ear]).toEqual(['denied', code, null]);
    });
    expect(ruling(await payer.decision(message)).code).toBe('nonce.used');
  });
});

describe('a payment that the user must confirm', () => {
  const waiting = async () => {
    const message = await payer.attempt(payer.intent({ amount: { amount: 15_000n, currency: 'CNY' } }));
    const told = await payer.decision(message);
    expect([told.state, ruling(told).code]).toEqual(['confirm_required', 'decision.confirm_needed']);
    return message;
  };
  const confirm = (message: LinkBody<'payment'>, token: string) =>
    payer.service.call('POST', `/v1/payment/payments/${message.paymentId}/confirmations`, { body: { token }, admin: false });
  beforeAll(async () => { await payer.giveMandate({ level: 'L2' }); });

  it('succeeds in a new attempt, after the device was told of the confirmation', async () => {
    const message = await waiting();
    const list = await payer.service.get(`/v1/payment/payments?user_id=${payer.userId}&state=confirm_required`);
    expect(list.payments.map((p: { payment_id: string }) => p.payment_id)).toContain(message.paymentId);
    const token = payer.confirmation(message);
    expect((await confirm(message, token)).status).toBe(201);
    expect(await payer.link.next('confirmed')).toEqual({ paymentId: message.paymentId, confirmation: token });
    const second = await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 });
    const told = await payer.decision(second);
    expect([told.state, told.attempt, told.confirmation]).toEqual(['permitted', 2, token]);
    const executed = await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
    expect(executed.state).toBe('settled');
    expect(await offline(second, told, executed)).toMatchObject({ broken: null, verdict: { decision: 'permit', level: 'L2', settled: true } });
  });

  it('succeeds also when the device was away as the user confirmed: it is told when it comes back', async () => {
    await payer.giveMandate({ level: 'L2' });
    const message = await waiting();
    payer.link.close();
    const token = payer.confirmation(message);
    await confirm(message, token);
    await payer.reconnect();
    expect(await payer.link.next('confirmed')).toEqual({ paymentId: message.paymentId, confirmation: token });
    expect((await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 }))).state).toBe('permitted');
    await payer.reconnect();
    await payer.paymentNonce();
    expect(payer.link.received.filter(({ type }) => type === 'confirmed'), 'what was used is not told again').toEqual([]);
  });

  it('is not revived by its old evidence once the user has confirmed', async () => {
    await payer.giveMandate({ level: 'L2' });
    const message = await waiting();
    await confirm(message, payer.confirmation(message));
    expect(ruling(await payer.decision({ ...message, attempt: 2 })).code).toBe('nonce.used');
  });

  it('answers the same while nobody has confirmed it, also to a new attempt', async () => {
    await payer.giveMandate({ level: 'L2' });
    const message = await waiting();
    expect((await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 }))).attempt).toBe(1);
  });

  it('takes no consent to other terms, of another user, or after its life', async () => {
    await payer.giveMandate({ level: 'L2' });
    const message = await waiting();
    expect((await confirm(message, payer.confirmation(message, { amount: { amount: 1n, currency: 'CNY' } }))).body.code).toBe('confirm.mismatch');
    expect((await confirm(message, payer.confirmation(message, { exp: 1_700_000_000, iat: 1_699_999_000 }))).body.code).toBe('token.time');
    expect((await confirm(message, payer.confirmation(message, { sub: freshId('usr') }))).body.code).toBe('token.signature');
  });
});

describe('payments that share one TPM signature', () => {
  it('are each decided, settled and proven for themselves', async () => {
    await payer.giveMandate();
    const intents = Array.from({ length: 4 }, () => payer.intent());
    const messages = await payer.attempts(intents);
    expect(new Set(messages.map(({ evidence }) => evidence.register!.attest)).size).toBe(1);
    for (const message of messages) payer.link.send('payment', message);
    for (const { paymentId } of messages) expect((await payer.link.next('execution', (body) => body.paymentId === paymentId)).state).toBe('settled');
  });
});

describe('a mandate', () => {
  const submit = (mandate: string, deviceId = payer.deviceId) => payer.service.call('POST', '/v1/delegation/mandates', { body: { device_id: deviceId, mandate }, admin: false });
  const codeOf = async (...args: Parameters<typeof submit>) => (await submit(...args)).body.code;

  it('is for a device of its user', async () => {
    expect(await codeOf(payer.mandateToken(), freshId('dev'))).toBe('intake.not_found');
    const other = await payer.service.user('another user');
    const [userId, user] = [payer.userId, payer.user];
    [payer.userId, payer.user] = [other.userId, other.signer];
    const foreign = payer.mandateToken();
    [payer.userId, payer.user] = [userId, user];
    expect(await codeOf(foreign)).toBe('intake.not_found');
  });

  it.each<[string, Partial<Mandate>]>([
    ['another key than the agent has there', { cnf: { jwk: STRANGER.jwk } }],
    ['another version of the agent', { agent: { id: 'example.shopper', version: '1.0.0', manifestSha256: sha256('other manifest') } }],
    ['an agent that is not there', { agent: { id: 'example.other', version: '1.0.0', manifestSha256: sha256('other manifest') } }],
    ['a carrier of nobody', { carrier: { id: freshId('crr'), rulesSha256: sha256('rules') } }],
  ])('that names %s is not registered', async (_, changes) => {
    expect(await codeOf(payer.mandateToken(changes))).toBe('intake.not_found');
  });

  it('that has expired is not registered, and one is registered once', async () => {
    expect(await codeOf(payer.mandateToken({ exp: 1_700_000_000 }))).toBe('mandate.expired');
    const token = payer.mandateToken();
    expect([(await submit(token)).status, (await submit(token)).status]).toEqual([201, 201]);
    const { mandates } = await payer.service.get(`/v1/delegation/mandates?device_id=${payer.deviceId}`);
    expect(mandates.filter(({ mandate }: { mandate: string }) => mandate === token)).toHaveLength(1);
  });

  it('pays for nothing while it is not registered, whoever signed it', async () => {
    const registered = payer.mandate;
    payer.mandate = payer.mandateToken();
    const told = await pay();
    payer.mandate = registered;
    expect([ruling(told).code, told.authority.carrier]).toEqual(['mandate.unknown', null]);
  });
});

describe('freezing and revoking', () => {
  const order = (token: string) => payer.service.call('POST', '/v1/delegation/orders', { body: { order: token }, admin: false });
  beforeAll(async () => { mandateId = await payer.giveMandate(); });

  it('reaches the device within a second, and nothing is permitted after the answer', async () => {
    const from = performance.now();
    expect((await order(payer.order('freeze', payer.carrierId))).body).toEqual({ subject: payer.carrierId, state: 'frozen' });
    expect(await payer.link.next('revoked')).toEqual({ subject: payer.carrierId, state: 'frozen' });
    expect(performance.now() - from).toBeLessThan(1000);
    expect(ruling(await pay()).code).toBe('carrier.frozen');
    expect((await order(payer.order('thaw', payer.carrierId))).status).toBe(200);
    expect((await pay()).state).toBe('permitted');
  });

  it('obeys an order once: an old thaw played again does not undo a new freeze', async () => {
    await order(payer.order('freeze', payer.carrierId));
    const thaw = payer.order('thaw', payer.carrierId);
    await order(thaw);
    await order(payer.order('freeze', payer.carrierId));
    expect((await order(thaw)).body.code).toBe('store.conflict');
    expect((await balance()).state).toBe('frozen');
    await order(payer.order('thaw', payer.carrierId));
  });

  it('is for the owner alone', async () => {
    const other = await payer.service.user('someone else');
    const [userId, user] = [payer.userId, payer.user];
    [payer.userId, payer.user] = [other.userId, other.signer];
    const foreign = payer.order('revoke', payer.carrierId);
    [payer.userId, payer.user] = [userId, user];
    expect((await order(foreign)).body.code).toBe('intake.not_found');
  });

  it('ends a mandate for ever', async () => {
    expect((await order(payer.order('revoke', mandateId))).status).toBe(200);
    expect(ruling(await pay()).code).toBe('mandate.revoked');
    expect((await order(payer.order('thaw', mandateId))).body.code).toBe('store.conflict');
  });
});

describe('a payment asked for again after the carrier was revised', () => {
  it('is answered with the carrier that it was decided on, so that its bundle still verifies', async () => {
    await payer.giveMandate();
    const message = await payer.attempt(payer.intent());
    const first = await payer.decision(message);
    await payer.link.next('execution');
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rev: 2 }) });
    expect((await balance()).token).not.toBe(first.carrier);
    const asked = await payer.link.ask('settle_query', { paymentId: message.paymentId });
    const again = asked.body as LinkBody<'decision'>;
    expect(again.carrier).toBe(first.carrier);
    expect((await offline(message, again, await payer.link.next('execution'))).broken).toBeNull();
  });
});

describe('the deposit chain afterwards', () => {
  it('holds one unbroken chain for the carrier, and a proof for each of its leaves', async () => {
    const leaves = await store.chain(payer.carrierId);
    expect(verifyChain(leaves.map(({ leaf }) => leaf)).length).toBeGreaterThan(10);
    for (const { eventId, leaf, leafHash: hash } of leaves.slice(0, 5)) {
      expect(hash).toBe(leafHash(leaf));
      expect(verifyProof(leaf, (await payer.service.call('GET', `/log/leaf/${eventId}/proof`, { admin: false })).text, trust.logs)).toBeDefined();
    }
  });
});
