/** Offline payments as a hostile device brings them, on a real software TPM: each attack is refused by its code, and what is honest is settled once. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NV_Read } from '@ari-sidecar/tpm2';
import { batchOf } from '../../attest/batch.js';
import { verifyBundle } from '../../attest/bundle.js';
import { bindingFor, counterQualifyingData, paymentEvidenceOf, paymentQualifyingData } from '../../attest/evidence.js';
import type { Sha256 } from '../../src/base/bytes.js';
import { thumbprint, splitJws } from '../../src/base/jws.js';
import type { LinkBody } from '../../src/link.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance, offlineNonce } from '../../src/objects/allowance.js';
import { DECISION } from '../../src/objects/decision.js';
import { type Binding, platformHash } from '../../src/objects/evidence.js';
import { type Intent, paymentHash } from '../../src/objects/intent.js';
import { open, seal } from '../../src/objects/signed.js';
import { closeMandate, closedHash, mandateHash } from '../../src/sdjwt/index.js';
import { claimsFor } from '../support/device.js';
import { closedFor } from '../support/examples.js';
import { testSigner } from '../support/keys.js';
import { bundleText } from './support/bundle.js';
import { TestPayer } from './support/payer.js';
import { freshId, ISSUER } from './support/service.js';

type Brought = LinkBody<'offline'>;
interface Twist { intent?: Partial<Intent>; binding?: (value: Binding) => Binding; nonce?: Sha256; agent?: ReturnType<typeof claimsFor>; madeS?: number; before?: () => Promise<void> }

let payer: TestPayer;
let mandateId: string;
let token: string;
let later = 0;
const COUNTER = 0x01d10301;
const AMOUNT = 1000n;

beforeAll(async () => {
  payer = await TestPayer.start({ now: () => Date.now() + later });
  await payer.enrol();
  await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rules: { offline: { maxCount: 60, maxTotal: 60_000n }, perPaymentMax: 1500n } as never }) });
  await payer.service.post(`/v1/delegation/carriers/${payer.carrierId}/fund`, { event_id: 'first', amount: 100_000 });
  mandateId = await payer.giveMandate({ exp: Math.floor(Date.now() / 1000) + 3600 });
}, 30_000);
afterAll(() => payer.stop());

const value = (): OfflineAllowance => OFFLINE_ALLOWANCE.shape.parse(JSON.parse(splitJws(token).payload.toString()));
const carrier = async (): Promise<{ spent: number; reserved: number; available: number }> => payer.service.get(`/v1/delegation/carriers/${payer.carrierId}`);

/** A new connection, and what it allows. */
async function allowed(): Promise<void> {
  await payer.reconnect();
  await payer.link.ask('allowance_return', {});
  const answer = await payer.link.ask('allowance_ask', { mandateId });
  if (answer.type !== 'allowance') throw new Error(JSON.stringify(answer.body));
  token = answer.body.allowance;
}

async function readCounter(): Promise<bigint> {
  return (await payer.device.tpm.run(NV_Read, { authHandle: COUNTER, nvIndex: COUNTER }, { size: 8, offset: 0 })).data.readBigUInt64BE();
}

/** A payment as a sidecar makes it offline, with what a hostile one may change. */
async function pay({ intent: over = {}, binding: twist = (one) => one, nonce, agent = claimsFor(payer.manifest), madeS = Math.floor(Date.now() / 1000), before }: Twist = {}): Promise<Brought> {
  const { device, mandate } = payer;
  const intent = payer.intent({ amount: { amount: AMOUNT, currency: 'CNY' }, ...over });
  await device.increment();
  const ctr = await readCounter();
  const over_ = nonce ?? offlineNonce(value().jti, ctr);
  const platform = await device.platform({ nonce: over_, aud: ISSUER, counter: false });
  const closedMandate = closeMandate({ mandateToken: mandate, closed: { ...closedFor(intent), iat: madeS, exp: madeS + 60 }, aud: ISSUER, nonce: over_, iat: madeS }, payer.agent, randomBytes(16));
  const parts = device.parts(platform, { nonce: over_, aud: ISSUER, paymentSha256: paymentHash(intent), mandateSha256: mandateHash(mandate), closedSha256: closedHash(closedMandate), jkt: thumbprint(payer.agent.jwk), agent, platformSha256: platformHash(platform) });
  const binding = twist(bindingFor({ ...parts, ctr }));
  const { root, paths } = batchOf([binding]);
  const attestation = await device.certify('register', paymentQualifyingData(root));
  await before?.();
  const counter = await device.certify('counter', counterQualifyingData(root));
  const evidence = paymentEvidenceOf({ binding, batch: paths[0]!, log: device.delta(1), agent, carrier: 'register', attestation, counter });
  return { paymentId: freshId('pay'), allowance: token, intent, mandate, closedMandate, evidence, platform };
}

/** What the verifier says: permitted, or the code of its denial or refusal. */
async function bring(body: Brought): Promise<string> {
  const answer = await payer.link.ask('offline', body);
  if (answer.type === 'error') return answer.body.code;
  if (answer.type !== 'decision') throw new Error(answer.type);
  const { value: said } = open(DECISION, answer.body.decision, (await payer.service.trust()).keys);
  return said.code ?? said.decision;
}
/** The same as whoever checks the bundle offline sees it: decision, code, and the edges that do not hold. */
async function audited(body: Brought, device: string): Promise<unknown[]> {
  const answer = await payer.link.ask('offline', body);
  if (answer.type !== 'decision') throw new Error(answer.type);
  const { verdict, edges } = verifyBundle(bundleText(payer, device, body, answer.body), await payer.service.trust());
  return [verdict?.decision, verdict?.code, edges.filter(({ ok }) => !ok)];
}
const settled = (paymentId: string): Promise<unknown> => payer.link.next('execution', (body) => body.paymentId === paymentId && body.receipt !== null);

describe('payments that were made offline', () => {
  it('are settled once each, in the order of the counter, out of what was held', async () => {
    await allowed();
    expect(await carrier()).toMatchObject({ reserved: 60_000, spent: 0 });
    const all = [await pay(), await pay(), await pay()];
    for (const one of all) expect(await bring(one)).toBe('permit');
    for (const { paymentId } of all) await settled(paymentId);
    expect(await carrier()).toMatchObject({ reserved: 57_000, spent: 3000 });
  });

  it('brought again, also at once and on another connection, get the stored answer', async () => {
    const one = await pay();
    expect(await bring(one)).toBe('permit');
    await settled(one.paymentId);
    const first = await payer.link.ask('offline', one);
    await payer.reconnect();
    expect(await payer.link.ask('offline', one)).toMatchObject({ type: 'decision', body: { decision: (first.body as { decision: string }).decision } });
    expect(await carrier()).toMatchObject({ spent: 4000 });
  });

  it('give back what is left when the device has brought all of them', async () => {
    await allowed();
    expect(await carrier(), 'the new allowance alone').toMatchObject({ reserved: 60_000, spent: 4000 });
  });

  it('are paid though the carrier was frozen after they were made: the promise was given before', async () => {
    const one = await pay();
    await payer.service.post('/v1/delegation/orders', { order: payer.order('freeze', payer.carrierId) });
    await payer.reconnect();
    expect(await bring(one)).toBe('permit');
    expect(await payer.link.ask('allowance_ask', { mandateId })).toMatchObject({ type: 'error', body: { code: 'offline.not_allowed' } });
    await payer.service.post('/v1/delegation/orders', { order: payer.order('thaw', payer.carrierId) });
  });
});

describe('a hostile device', () => {
  it('cannot bring a later payment before an earlier one', async () => {
    await allowed();
    const [first, second] = [await pay(), await pay()];
    expect(await bring(second)).toBe('permit');
    expect(await bring(first)).toMatch(/^(?:clock\.rewound|clock\.sequence|ctr\.not_increased)$/);
  });

  it('and its user can check each answer offline: what the verifier alone remembers denies, and the denial verifies', async () => {
    const { device } = await payer.reconnect();
    await allowed();
    const [first, second] = [await pay(), await pay()];
    expect(await audited(second, device)).toEqual(['permit', null, []]);
    expect(await audited(first, device)).toEqual(['deny', expect.stringMatching(/^(?:clock\.rewound|clock\.sequence|ctr\.not_increased)$/), []]);
  });

  it.each<[string, () => Twist, string | RegExp]>([
    ['over a nonce that is not that of its counter', () => ({ nonce: offlineNonce('alw_01JD0000000000000000000000', 1n) }), 'binding.mismatch'],
    ['under a value of the counter that it does not have', () => ({ binding: (one) => ({ ...one, ctr: one.ctr! + 1n }) }), 'binding.mismatch'],
    ['without a counter', () => ({ binding: (one) => ({ ...one, ctr: null }) }), 'ctr.missing'],
    ['by another agent version', () => ({ agent: { ...claimsFor(payer.manifest), manifestSha256: 'A'.repeat(43) } }), /^(?:agent\.version_not_authorised|mandate\.agent_mismatch)$/],
    ['to a payee that is not listed', () => ({ intent: { payee: { id: 'merchant_2', origin: null, name: null } } }), /payee$/],
    ['of more than one may be', () => ({ intent: { amount: { amount: 1501n, currency: 'CNY' } } }), /^(?:offline|carrier)\.(?:per_payment|total)$/],
    ['that it made before it had the allowance', () => ({ madeS: Math.floor(Date.now() / 1000) - 3000 }), /expired$/],
    ['while the counter ran on', () => ({ before: () => payer.device.increment() }), 'binding.mismatch'],
  ])('cannot bring a payment %s', async (_, twist, code) => {
    const { spent } = await carrier();
    expect(await bring(await pay(twist()))).toMatch(code);
    expect((await carrier()).spent).toBe(spent);
  });

  it('cannot put the counter or the platform of one payment to another', async () => {
    const [one, other] = [await pay(), await pay()];
    expect(await bring({ ...other, evidence: { ...other.evidence, counter: one.evidence.counter! } })).toBe('quote.nonce');
    expect(await bring({ ...other, paymentId: freshId('pay'), platform: one.platform })).toBe('binding.mismatch');
    expect(await bring(other), 'and the honest one still counts').toBe('permit');
  });

  it('cannot bring an offline payment as an online one, nor the other way round', async () => {
    const { paymentId, intent, mandate, closedMandate, evidence } = await pay();
    const answer = await payer.link.ask('payment', { paymentId, attempt: 1, intent, mandate, closedMandate, evidence, findings: [] });
    expect(answer).toMatchObject({ type: 'decision', body: { state: 'denied' } });
    const online = await payer.attempt(payer.intent());
    expect(await bring({ paymentId: freshId('pay'), allowance: token, intent: online.intent, mandate: online.mandate!, closedMandate: online.closedMandate!, evidence: online.evidence, platform: payer.platform })).toBe('ctr.missing');
  });

  it('cannot pay on under an allowance after it came back', async () => {
    await allowed();
    const old = token;
    await payer.reconnect();
    expect(await bring({ ...(await pay()), allowance: old })).toBe('offline.closed');
  });

  it('cannot make an allowance, nor use that of another', async () => {
    await allowed();
    const one = await pay();
    expect(await bring({ ...one, allowance: seal(OFFLINE_ALLOWANCE, { ...value(), maxTotal: 1_000_000n }, { ...testSigner('stranger'), kid: splitJws(token).kid }) })).toBe('token.signature');
    expect(await payer.link.ask('allowance_ask', { mandateId: 'mnd_01JD0000000000000000000000' })).toMatchObject({ type: 'error', body: { code: 'intake.not_found' } });
  });
});

describe('a value of the counter without a payment', () => {
  it('is seen, and what one payment may be stays held for whoever may still bring it', async () => {
    await allowed();
    const { reserved: before } = await carrier();
    const lost = await pay();
    await allowed();
    const { reserved } = await carrier();
    expect(before, 'as much is held, and less of it is new').toBe(reserved);
    expect(Number(value().maxTotal)).toBeLessThanOrEqual(60_000 - 1500);
    expect(await bring(lost), 'and it is paid when it comes').toBe('permit');
  });
});

describe('a payment that is brought too late', () => {
  it('is recorded and refused, and its money is back with the carrier', async () => {
    await allowed();
    const one = await pay();
    const { reserved } = await carrier();
    expect(reserved).toBeGreaterThan(0);
    later = (value().uploadUntil - Math.floor(Date.now() / 1000) + 60) * 1000;
    await payer.service.restart({ now: () => Date.now() + later });
    expect(await carrier()).toMatchObject({ reserved: 0 });
    await payer.reconnect();
    expect(await bring(one)).toBe('offline.late');
    expect(await payer.service.get(`/v1/payment/payments/${one.paymentId}`)).toMatchObject({ state: 'denied', code: 'offline.late' });
  });
});

describe('an allowance of a key that the device had before', () => {
  it('pays nothing by the new one, for which it enrolled again', async () => {
    later = 0;
    await payer.service.restart({ now: () => Date.now() });
    await allowed();
    await payer.device.replaceKey();
    const { device } = await payer.enrol(await payer.code(true));
    expect(await audited(await pay(), device)).toEqual(['deny', 'offline.other', []]);
  });
});
