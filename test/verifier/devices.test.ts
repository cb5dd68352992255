/** One user on several devices: the carrier is shared, each device has its own mandate. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkBody } from '../../src/link.js';
import { DECISION } from '../../src/objects/decision.js';
import { open } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { TestDevice } from '../support/device.js';
import { TestPayer } from './support/payer.js';

let laptop: TestPayer;
let phone: TestPayer;
let trust: Trust;
beforeAll(async () => {
  const device = await TestDevice.start();
  laptop = await TestPayer.start({}, '', device.swtpm.caRootPem);
  phone = laptop.beside(device);
  await laptop.enrol();
  await phone.enrol();
  await laptop.openCarrier(30_000);
  phone.rules = laptop.rules;
  await laptop.giveMandate();
  await phone.giveMandate();
  trust = await laptop.service.trust();
});
afterAll(async () => {
  phone.link.close();
  await phone.device.stop();
  await laptop.stop();
});

const decide = async (payer: TestPayer, message: LinkBody<'payment'>) => open(DECISION, (await payer.decision(message)).decision, trust.keys).value;
const pay = async (payer: TestPayer, amount: bigint) => decide(payer, await payer.attempt(payer.intent({ amount: { amount, currency: 'CNY' } })));
const carrier = () => laptop.service.get(`/v1/delegation/carriers/${laptop.carrierId}`);

describe('a carrier on two devices', () => {
  it('pays from both, each under its own mandate, out of one balance', async () => {
    expect([(await pay(laptop, 5_000n)).decision, (await pay(phone, 5_000n)).decision]).toEqual(['permit', 'permit']);
    await Promise.all([laptop.link.next('execution'), phone.link.next('execution')]);
    expect(await carrier()).toMatchObject({ spent: 10_000, available: 20_000 });
  });

  it('pays nothing from one device under the mandate of the other', async () => {
    const own = phone.mandate;
    phone.mandate = laptop.mandate;
    expect(await pay(phone, 100n)).toMatchObject({ decision: 'deny', code: 'mandate.unknown' });
    phone.mandate = own;
  });

  it('pays the last remaining amount once, when both ask at the same moment', async () => {
    const [one, other] = await Promise.all([laptop, phone].map((payer) => payer.attempt(payer.intent({ amount: { amount: 15_000n, currency: 'CNY' } }))));
    const decisions = await Promise.all([decide(laptop, one!), decide(phone, other!)]);
    expect(decisions.map(({ decision, code }) => code ?? decision).sort()).toEqual(['carrier.funds', 'permit']);
  });

  it('is frozen on both at once, and a mandate ends on its own device alone', async () => {
    await laptop.service.post('/v1/delegation/orders', { order: laptop.order('freeze', laptop.carrierId) });
    for (const payer of [laptop, phone]) expect((await payer.link.next('revoked')).state).toBe('frozen');
    expect((await pay(phone, 100n)).code).toBe('carrier.frozen');
    await laptop.service.post('/v1/delegation/orders', { order: laptop.order('thaw', laptop.carrierId) });
    const { mandates: [{ mandate_id: mandateId }] } = await laptop.service.get(`/v1/delegation/mandates?device_id=${phone.deviceId}`);
    await laptop.service.post('/v1/delegation/orders', { order: laptop.order('revoke', mandateId) });
    expect([(await pay(phone, 100n)).code, (await pay(laptop, 100n)).decision]).toEqual(['mandate.revoked', 'permit']);
  });

  it('pays on from the other when one device is lost and revoked', async () => {
    await laptop.service.post('/v1/delegation/orders', { order: laptop.order('revoke', phone.deviceId) });
    expect(await phone.link.answerTo('payment', await phone.attempt(phone.intent()))).toBe('device.revoked');
    expect((await pay(laptop, 100n)).decision).toBe('permit');
  });
});
