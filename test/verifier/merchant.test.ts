import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closedHash } from '../../src/sdjwt/index.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { EAR } from '../../src/objects/ear.js';
import { MERCHANT_EAR } from '../../src/objects/merchant.js';
import { open } from '../../src/objects/signed.js';
import { sha256 } from '../../src/base/bytes.js';
import { MANIFEST } from '../support/device.js';
import { rotateKey } from '../../verifier/keys.js';
import { TestPayer } from './support/payer.js';
import { freshId } from './support/service.js';

const SHOP = 'https://flowers.example';
let payer: TestPayer;
let paid: { paymentId: string; closed: string };
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
  const message = await payer.attempt(payer.intent());
  const { state } = await payer.decision(message);
  expect(state).not.toBe('denied');
  paid = { paymentId: message.paymentId, closed: closedHash(message.closedMandate!) };
});
afterAll(() => payer.stop());

const ask = async ({ paymentId = paid.paymentId, aud = SHOP, closed = paid.closed } = {}) =>
  payer.service.call('GET', `/v1/trust/ear/${paymentId}?${new URLSearchParams({ aud, closed_sha256: closed })}`, { admin: false });

describe('the attestation result for a payee', () => {
  it('says that the payment was proven, how well and by which agent, in less than 1800 bytes', async () => {
    const { ear: token } = (await ask()).body as { ear: string };
    const { value } = open(MERCHANT_EAR, token, (await payer.service.trust()).keys);
    expect(value).toMatchObject({
      aud: SHOP, submods: { platform: { ariPlatform: { tier: 'T2', simulated: true } }, agent: { ariAgent: { agentId: MANIFEST.agent.id, version: MANIFEST.agent.version } } }, ariBinding: { closedSha256: paid.closed },
    });
    expect(value.exp - value.iat).toBeLessThanOrEqual(60);
    expect(token.length).toBeLessThanOrEqual(1800);
  });

  it('names neither the device nor its keys nor its maker, and is no result for anybody else', async () => {
    const { ear: token } = (await ask()).body as { ear: string };
    const text = Buffer.from(token.split('.')[1]!, 'base64url').toString();
    for (const secret of [payer.deviceId, payer.device.akName.toString('hex'), 'swtpm', 'ek_root', 'firmware', 'clock']) expect(text).not.toContain(secret);
    const { keys } = await payer.service.trust();
    expect(() => open(EAR, token, keys)).toThrow();
  });

  it('is given for the origin that is paid, to whoever was shown the closed mandate, and for permitted payments only: all else is unknown', async () => {
    const answers = [await ask({ aud: 'https://other.example' }), await ask({ closed: sha256('another') }), await ask({ paymentId: freshId('pay') })];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(Array.from({ length: 3 }, () => [404, 'intake.not_found']));
    const dear = await payer.attempt(payer.intent({ amount: { amount: 49_000n, currency: 'CNY' } }));
    await payer.decision(dear);
    expect((await ask({ paymentId: dear.paymentId, closed: closedHash(dear.closedMandate!) })).status).toBe(404);
  });

  it('is about the moment of payment: later there is none', async () => {
    await payer.service.restart({ now: () => Date.now() + 61_000 });
    expect((await ask()).body.code).toBe('token.time');
    await payer.service.restart();
  });
});

describe('a key that was replaced', () => {
  it('stays in the key set: what it signed still verifies, and the new one signs', async () => {
    const store = await payer.service.store();
    const { record } = (await store.deviceById(payer.deviceId))!;
    await store.close();
    const { before, after } = rotateKey(payer.service.config.keys.dir, 'verifier');
    await payer.service.restart();
    const { keys } = await payer.service.trust();
    expect([keys('verifier', before)?.kid, keys('verifier', after)?.kid]).toEqual([before, after]);
    expect(open(DEVICE_RECORD, record, keys).signer.kid).toBe(before);
    await payer.reconnect();
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    const { ear } = (await ask({ paymentId: message.paymentId, closed: closedHash(message.closedMandate!) })).body as { ear: string };
    expect(open(MERCHANT_EAR, ear, keys).signer.kid).toBe(after);
  });
});
