import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/bytes.js';
import type { CarrierRules } from '../../src/objects/carrier.js';
import { DECISION, type Decision } from '../../src/objects/decision.js';
import type { Intent } from '../../src/objects/intent.js';
import type { Mandate } from '../../src/objects/mandate.js';
import { open } from '../../src/objects/signed.js';
import type { LinkBody } from '../../src/link.js';
import type { Trust } from '../../src/objects/trust.js';
import { ROUTES } from '../../verifier/api/routes.js';
import { TestPayer } from './support/payer.js';

/** ACT's two modes, as docs/act.md tells them. */
let payer: TestPayer;
let trust: Trust;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  trust = await payer.service.trust();
});
afterAll(() => payer.stop());

const nowS = (): number => Math.floor(Date.now() / 1000);
const ruling = (told: LinkBody<'decision'>): Decision => open(DECISION, told.decision, trust.keys).value;
const judge = async (mandate: Partial<Mandate>, intent: Partial<Intent> = {}) => {
  await payer.giveMandate(mandate);
  const message = await payer.attempt(payer.intent(intent));
  return { message, ...ruling(await payer.decision(message)) };
};
const confirm = (message: LinkBody<'payment'>, changes = {}) =>
  payer.service.call('POST', `/v1/payment/payments/${message.paymentId}/confirmations`, { body: { token: payer.confirmation(message, changes) }, admin: false });

describe('instant mode', () => {
  it.each(['L0', 'L1', 'L2', 'L3', 'L4'] as const)('waits for the user at %s, whatever the rules would permit', async (level) => {
    const task = { id: 'task-1', summary: 's', textSha256: null, maxPayments: 1 };
    expect(await judge({ mode: 'instant', level, task }, { taskId: 'task-1' })).toMatchObject({ decision: 'confirm', code: 'decision.confirm_needed' });
  });

  it('shows the terms as they were proven, takes consent to exactly those, and pays exactly those', async () => {
    const { message } = await judge({ mode: 'instant', level: 'L2' });
    const shown = await payer.service.get(`/v1/payment/payments/${message.paymentId}`);
    expect(shown.intent).toMatchObject({ amount: { amount: 9900, currency: 'CNY' }, payee: { id: 'merchant_1' }, order: { terms_sha256: sha256('terms') } });
    const { amount, payee, order } = message.intent;
    for (const other of [{ amount: { ...amount, amount: amount.amount + 1n } }, { payee: { ...payee, id: 'merchant_2' } }, { payee: { ...payee, origin: null } }, { termsSha256: sha256('other terms') }]) {
      expect((await confirm(message, other)).body.code).toBe('confirm.mismatch');
    }
    expect((await confirm(message)).status).toBe(201);
    const dearer = await payer.attempt({ ...message.intent, amount: { ...amount, amount: amount.amount + 1n } }, { paymentId: message.paymentId, attempt: 2 });
    expect(await payer.link.answerTo('payment', dearer)).toBe('intake.idempotency_conflict');
    const otherTerms = await payer.attempt({ ...message.intent, order: { ...order, termsSha256: sha256('other terms') } }, { paymentId: message.paymentId, attempt: 2 });
    expect(await payer.link.answerTo('payment', otherTerms)).toBe('intake.idempotency_conflict');
    expect(ruling(await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 })))).toMatchObject({ decision: 'permit', level: 'L2' });
  });

  it('takes one consent for one payment: the next one waits again', async () => {
    const { message } = await judge({ mode: 'instant', level: 'L4' });
    await confirm(message);
    expect(ruling(await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 }))).decision).toBe('permit');
    expect(ruling(await payer.decision(await payer.attempt(payer.intent()))).decision).toBe('confirm');
  });
});

describe('delegated mode', () => {
  const task = { id: 'task-1', summary: 'flowers', textSha256: null, maxPayments: 2 };

  it('pays while the user is away: within one task at L3, standing at L4', async () => {
    expect(await judge({ level: 'L3', task }, { taskId: 'task-1' })).toMatchObject({ decision: 'permit', level: 'L3' });
    expect(await judge({ level: 'L4' })).toMatchObject({ decision: 'permit', level: 'L4' });
  });

  it('pays within one task as often as the user said, and for no other', async () => {
    expect((await judge({ level: 'L3', task }, { taskId: 'task-1' })).decision).toBe('permit');
    const again = async (taskId: string) => ruling(await payer.decision(await payer.attempt(payer.intent({ taskId }))));
    expect((await again('task-2')).code).toBe('mandate.task');
    expect((await again('task-1')).decision).toBe('permit');
    expect((await again('task-1')).code).toBe('mandate.exhausted');
  });

  it('pays in its time window only', async () => {
    expect((await judge({ nbf: nowS() + 600, exp: nowS() + 1200 })).code).toBe('mandate.expired');
  });

  it('sends to the user what is above the step-up, and refuses what is over a limit or outside the merchants, also with her word', async () => {
    expect(await judge({}, { amount: { amount: 20_001n, currency: 'CNY' } })).toMatchObject({ decision: 'deny', code: 'carrier.per_payment' });
    expect(await judge({}, { payee: { id: 'stranger', origin: 'https://stranger.example', name: null } })).toMatchObject({ decision: 'deny', code: 'carrier.payee' });
    const { message } = await judge({}, { bound: 'max' });
    expect((await confirm(message)).status).toBe(201);
    expect(ruling(await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 }))).decision).toBe('permit');
  });

  it('does not know L5 unless the policy enables it', async () => {
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rev: 2, rules: { levels: ['L4', 'L5'] } as CarrierRules }) });
    expect(await judge({ level: 'L5' })).toMatchObject({ decision: 'deny', code: 'level.not_allowed' });
  });
});

it('the four domains are the four groups of the API', () => {
  const groups = new Set(ROUTES.map(({ path }) => path).filter((path) => path.startsWith('/v1/')).map((path) => path.split('/')[2]));
  expect([...groups].sort()).toEqual(['commerce', 'delegation', 'payment', 'trust']);
});
