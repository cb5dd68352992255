/** What users and operators do about people, devices and money, by the commands alone, at a real verifier. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKey } from '../../cli/keys.js';
import { PAYEE_ENTRY } from '../../src/objects/payee.js';
import { open } from '../../src/objects/signed.js';
import { TestPayer } from '../verifier/support/payer.js';
import { freshId } from '../verifier/support/service.js';
import { ari } from './support.js';

let payer: TestPayer;
let dir: string;
let remote: string[];
let operator: string[];
let alice: string[];
let aliceId: string;
const at = (name: string): string => join(dir, name);

/** A command with `--json`: its exit status and what it said. */
async function run(argv: string[], ...who: string[][]): Promise<any> {
  const { status, out } = await ari(...argv, ...remote, ...who.flat(), '--json');
  return { exit: status, ...JSON.parse(out) };
}
const as = (userId: string, key: string): string[] => ['--user', userId, '--key', key];
const register = async (name: string, ...more: string[]): Promise<string> => (await run(['user', 'create', '--key', at(name), ...more], operator)).user_id;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-people-'));
  payer = await TestPayer.start();
  remote = ['-u', payer.service.running.url];
  operator = ['--admin-token-file', join(payer.service.dir, 'admin.token')];
  aliceId = await register('alice.jwk');
  alice = as(aliceId, at('alice.jwk'));
  Object.assign(payer, { userId: aliceId, user: loadKey(at('alice.jwk'), 'user') });
  await payer.enrol();
  await payer.openCarrier();
});
afterAll(async () => {
  await payer.stop();
  rmSync(dir, { recursive: true });
});

/** A payment of Alice's agent, settled. */
async function settled(amount = 9900n): Promise<string> {
  await payer.giveMandate();
  const message = await payer.attempt(payer.intent({ amount: { amount, currency: 'CNY' } }));
  await payer.decision(message);
  await payer.link.next('execution', ({ paymentId }) => paymentId === message.paymentId);
  return message.paymentId;
}

describe('whoever calls', () => {
  it('is told what to say when nobody is named', async () => {
    expect(await run(['carrier', 'show', payer.carrierId])).toMatchObject({ exit: 2, error: { code: 'usage.wrong', detail: expect.stringContaining('--user ID --key FILE, or --admin-token-file FILE') } });
    expect(await run(['carrier', 'show', payer.carrierId], ['--key', at('alice.jwk')])).toMatchObject({ exit: 2, error: { detail: expect.stringContaining('--user ID') } });
    expect((await ari('payment', 'dispute', 'x', ...remote)).status).toBe(2);
    expect(await run(['carrier', 'show', payer.carrierId], as(aliceId, at('none.jwk')))).toMatchObject({ exit: 2, error: { code: 'config.unreadable' } });
  });

  it('sees with her own key what is hers, and nothing of another', async () => {
    const bob = as(await register('bob.jwk'), at('bob.jwk'));
    expect(await run(['carrier', 'show', payer.carrierId], alice)).toMatchObject({ exit: 0, user_id: aliceId });
    for (const argv of [['carrier', 'show', payer.carrierId], ['device', 'show', payer.deviceId], ['carrier', 'return', payer.carrierId, '--amount', '1'], ['mandate', 'show', '--device', payer.deviceId]]) {
      expect(await run(argv, bob)).toMatchObject({ exit: 1, error: { code: 'intake.not_found' } });
    }
    expect(await run(['device', 'list'], ['--user', aliceId, ...bob.slice(2)])).toMatchObject({ exit: 1, error: { code: 'intake.unauthorised' } });
    expect((await run(['payment', 'list'], bob)).payments).toEqual([]);
  });
});

describe('ari user', () => {
  it('registers persons and organisations, with several keys', async () => {
    const userId = await register('cfo.jwk', '--organisation');
    expect(userId).toMatch(/^usr_/);
    const cfo = as(userId, at('cfo.jwk'));
    const { exit, kid } = await run(['user', 'add-key', '--new-key', at('ceo.jwk')], cfo);
    expect(exit).toBe(0);
    expect((await run(['user', 'keys'], as(userId, at('ceo.jwk')))).keys.map((one: { kid: string }) => one.kid)).toContain(kid);
    expect((await ari('user', 'keys', ...remote, ...cfo)).out.match(/speaks/g)).toHaveLength(2);
  });

  it('replaces a key that is lost: with another at once, at the operator\'s word after a day', async () => {
    const userId = await register('old.jwk');
    const { kid: lost } = await run(['user', 'keys'], as(userId, at('old.jwk'))).then(({ keys }) => keys[0]);
    await run(['user', 'add-key', '--new-key', at('spare.jwk')], as(userId, at('old.jwk')));
    expect(await run(['user', 'revoke-key', lost], as(userId, at('spare.jwk')))).toMatchObject({ exit: 0, state: 'revoked' });
    expect(await run(['user', 'keys'], as(userId, at('old.jwk')))).toMatchObject({ exit: 1, error: { code: 'intake.unauthorised' } });
    const { from_ms: fromMs } = await run(['user', 'add-key', '--new-key', at('all-lost.jwk')], ['--user', userId], operator);
    expect(fromMs).toBeGreaterThan(Date.now() + 86_000_000);
    expect((await ari('user', 'keys', ...remote, '--user', userId, ...operator)).out).toMatch(/revoked .*\n.*speaks.*\n.*speaks from/);
    expect((await run(['user', 'revoke-key', lost], ['--user', userId], operator)).error.code).toBe('intake.not_found');
  });

  it('gives a code for a device to her alone', async () => {
    expect((await run(['user', 'code'], alice)).code).toHaveLength(22);
    expect((await run(['user', 'code'], ['--user', aliceId], operator)).code).toHaveLength(22);
    expect((await run(['user', 'code'], operator)).error.code).toBe('usage.wrong');
  });

  it('confirms from another terminal, with another key, what waits for her', async () => {
    await run(['user', 'add-key', '--new-key', at('phone.jwk')], alice);
    const phone = as(aliceId, at('phone.jwk'));
    await payer.giveMandate({ level: 'L2' });
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    expect((await run(['payment', 'list', '--state', 'confirm_required'], phone)).payments.map((one: { payment_id: string }) => one.payment_id)).toEqual([message.paymentId]);
    expect(await run(['user', 'confirm', message.paymentId, '--dry-run'], phone)).toMatchObject({ confirmed: false });
    expect(await run(['user', 'confirm', message.paymentId], phone)).toMatchObject({ exit: 0, confirmed: true });
    expect((await payer.link.next('confirmed')).paymentId).toBe(message.paymentId);
    expect(await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId, attempt: 2 }))).toMatchObject({ state: 'permitted' });
  });
});

describe('ari device', () => {
  it('lets another user use it, each with her own mandates', async () => {
    const carolId = await register('carol.jwk');
    const carol = as(carolId, at('carol.jwk'));
    expect((await run(['device', 'list'], carol)).devices).toEqual([]);
    const { code } = await run(['user', 'code'], carol);
    expect(await run(['device', 'bind', payer.deviceId, '--code', code], carol)).toMatchObject({ exit: 1, error: { code: 'intake.not_found' } });
    expect(await run(['device', 'bind', payer.deviceId, '--code', code], alice)).toMatchObject({ exit: 0, user_id: carolId });
    expect((await run(['device', 'list'], carol)).devices).toMatchObject([{ device_id: payer.deviceId, user_id: null }]);
    expect((await run(['device', 'show', payer.deviceId], carol)).agents).toMatchObject([{ agent_id: 'example.shopper' }]);
    expect((await run(['mandate', 'show', '--device', payer.deviceId], carol)).mandates).toEqual([]);
    expect(await run(['device', 'freeze', payer.deviceId], carol)).toMatchObject({ exit: 1, error: { code: 'intake.not_found' } });
  });

  it('is stopped and goes on at its user\'s word', async () => {
    expect(await run(['device', 'freeze', payer.deviceId], alice)).toMatchObject({ exit: 0, state: 'suspended' });
    expect((await run(['device', 'show', payer.deviceId], alice)).state).toBe('suspended');
    expect(await run(['device', 'thaw', payer.deviceId], alice)).toMatchObject({ exit: 0, state: 'enrolled' });
  });
});

describe('ari payment', () => {
  it('gives back a part, then the rest, and never more', async () => {
    const paymentId = await settled();
    const refund = (...more: string[]) => run(['payment', 'refund', paymentId, ...more], operator);
    const refundId = freshId('evt');
    expect(await refund('--amount', '900', '--refund-id', refundId)).toMatchObject({ exit: 0, state: 'settled', amount: 900 });
    expect(await refund('--amount', '900', '--refund-id', refundId)).toMatchObject({ exit: 0, refund_id: refundId });
    expect(await refund('--amount', '9001')).toMatchObject({ exit: 1, error: { code: 'refund.amount' } });
    expect(await refund()).toMatchObject({ exit: 0, amount: 9000 });
    expect((await run(['payment', 'show', paymentId], alice)).refunds).toHaveLength(2);
    expect((await ari('payment', 'refund', paymentId, ...remote, ...alice)).status, 'no user gives herself money back').toBe(2);
  });

  it('is disputed by who paid, and the dispute ends with a refund', async () => {
    const paymentId = await settled();
    expect(await run(['payment', 'resolve', paymentId, '--reject'], operator)).toMatchObject({ exit: 1, error: { code: 'dispute.none' } });
    expect(await run(['payment', 'dispute', paymentId], alice)).toMatchObject({ exit: 0, state: 'disputed' });
    expect((await run(['payment', 'show', paymentId], alice)).dispute).toBe('open');
    expect(await run(['payment', 'resolve', paymentId, '--refund', '500'], operator)).toMatchObject({ exit: 0, dispute: 'refunded' });
    expect((await ari('payment', 'show', paymentId, ...remote, ...alice)).out).toMatch(/refund +5\.00 CNY {2}settled\ndispute +refunded/);
  });

  it('whose dispute is rejected can be disputed again, and not by another', async () => {
    const paymentId = await settled();
    await run(['payment', 'dispute', paymentId], alice);
    expect(await run(['payment', 'resolve', paymentId, '--reject'], operator)).toMatchObject({ exit: 0, dispute: 'rejected' });
    expect(await run(['payment', 'resolve', paymentId, '--reject'], operator)).toMatchObject({ exit: 1, error: { code: 'dispute.none' } });
    await run(['payment', 'dispute', paymentId], alice);
    expect((await run(['payment', 'show', paymentId], alice)).dispute).toBe('open');
    expect(await run(['payment', 'dispute', paymentId], as(await register('mallory.jwk'), at('mallory.jwk')))).toMatchObject({ exit: 1, error: { code: 'intake.not_found' } });
    expect((await run(['payment', 'resolve', paymentId], operator)).error.code).toBe('usage.wrong');
  });
});

describe('ari verifier payee', () => {
  it('enters a payee, and shows what the directory says of one', async () => {
    const payee = (...argv: string[]) => ari('verifier', 'payee', ...argv, ...remote, ...operator, '--json');
    expect((await payee('tea-house', '--scenario', 'food.tea', '--account', 'payee:tea')).status).toBe(0);
    const { status, out } = await payee('tea-house');
    const { entry, ...said } = JSON.parse(out);
    expect([status, said]).toEqual([0, { payee_id: 'tea-house', scenario: 'food.tea' }]);
    const opened = open(PAYEE_ENTRY, entry, (await payer.service.trust()).keys);
    expect([opened.value, opened.signer.kid[0]], 'the carrier issuer says so').toMatchObject([{ payeeId: 'tea-house', origin: null, scenario: 'food.tea' }, 'f']);
    expect((await payee('nobody')).status).toBe(1);
    expect((await payee('tea-house', '--scenario', 'food.tea')).status).toBe(2);
  });
});

it('a key file that is not one is refused by name', async () => {
  writeFileSync(at('broken.jwk'), '{}');
  expect(await run(['user', 'keys'], as(aliceId, at('broken.jwk')))).toMatchObject({ exit: 1, error: { code: 'intake.malformed' } });
});
