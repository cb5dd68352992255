import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DECISION } from '../../src/objects/decision.js';
import { open } from '../../src/objects/signed.js';
import { loadKey } from '../../cli/keys.js';
import { TestPayer } from '../verifier/support/payer.js';
import { ari } from './support.js';

let payer: TestPayer;
let dir: string;
let remote: string[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-mandate-'));
  const file = (name: string, text: string): string => { writeFileSync(join(dir, name), text, { mode: 0o600 }); return join(dir, name); };
  payer = await TestPayer.start();
  const key = file('user.jwk', JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })));
  payer.user = loadKey(key, 'user');
  payer.userId = (await payer.service.post('/v1/delegation/users', { kind: 'person' })).user_id;
  await payer.service.post(`/v1/delegation/users/${payer.userId}/keys`, { jwk: { ...payer.user.jwk } });
  await payer.enrol();
  await payer.openCarrier();
  remote = ['-u', payer.service.running.url, '--user', payer.userId, '--key', key];
});
afterAll(async () => {
  await payer.stop();
  rmSync(dir, { recursive: true });
});

const json = async (...argv: string[]) => {
  const { status, out } = await ari('mandate', ...argv, ...remote, '--json');
  return { exit: status, ...JSON.parse(out) };
};
const pay = async (amount: bigint) => {
  const trust = await payer.service.trust();
  return open(DECISION, (await payer.decision(await payer.attempt(payer.intent({ amount: { amount, currency: 'CNY' } })))).decision, trust.keys).value;
};

describe('ari mandate', () => {
  it("show tells the user's words and beside them the limits that are checked", async () => {
    const mandateId = await payer.giveMandate();
    const { status, out } = await ari('mandate', 'show', mandateId, ...remote);
    expect(status).toBe(0);
    expect(out).toMatch(/is \S*valid.*, used 0/);
    expect(out).toMatch(/“.+”\nThese are the words of the user\. What is checked:\n- /);
    expect((await json('show', mandateId)).limits.length).toBeGreaterThan(4);
    expect((await json('show', '--device', payer.deviceId)).mandates.length).toBeGreaterThan(0);
    expect([(await json('show')).exit, (await json('show', mandateId, '--device', payer.deviceId)).exit, (await json('show', 'mnd_none')).exit]).toEqual([2, 2, 1]);
  });

  it('narrow ends the old mandate and pays within the new one only', async () => {
    const before = await payer.giveMandate();
    const { exit, mandate_id: after } = await json('narrow', before, '--max', '5000', '--valid', '10m');
    expect(exit).toBe(0);
    const old = payer.mandate;
    expect((await pay(4000n)).code, 'the old one is over').toBe('mandate.revoked');
    payer.mandate = (await payer.service.get(`/v1/delegation/mandates/${after}`)).mandate;
    expect(payer.mandate).not.toBe(old);
    expect((await pay(6000n)).code).toBe('mandate.amount');
    expect((await pay(5000n)).decision).toBe('permit');
  });

  it('narrow changes nothing when the new mandate would be wider', async () => {
    const mandateId = await payer.giveMandate();
    expect(await json('narrow', mandateId, '--valid', '300d')).toMatchObject({ exit: 1, error: { code: 'mandate.wider' } });
    expect((await json('show', mandateId)).state).toBe('valid');
  });

  it('narrow gives no more payments than were left', async () => {
    const mandateId = await payer.giveMandate({ task: { id: null, summary: 'three', textSha256: null, maxPayments: 3 } });
    expect((await pay(100n)).decision).toBe('permit');
    await payer.link.next('execution');
    const { mandate_id: after } = await json('narrow', mandateId, '--payments', '3');
    expect((await json('show', after)).limits).toContain('at most 2 payments');
  });
});
