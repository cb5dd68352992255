import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Policy, POLICY } from '../../src/objects/decision.js';
import { seal } from '../../src/objects/signed.js';
import { DEFAULT_POLICY } from '../../verifier/init.js';
import { loadKeys } from '../../verifier/keys.js';
import { type RunningVerifier, startVerifier } from '../../verifier/main.js';
import type { VerifierConfig } from '../../verifier/config.js';
import { ari } from '../cli/support.js';
import { POLICY as PAYER_POLICY, TestPayer } from './support/payer.js';
import { ISSUER } from './support/service.js';

let payer: TestPayer;
let second: RunningVerifier;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ari-watch-'));
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
  second = await another();
});
afterAll(async () => {
  await second.close();
  await payer.stop();
  rmSync(dir, { recursive: true });
});

/** A second process of the same verifier: the same database and keys, an address and tiles of its own. */
const another = (): Promise<RunningVerifier> => {
  const config: VerifierConfig = { ...payer.service.config, deposit: { ...payer.service.config.deposit, dir: join(dir, 'log') } };
  return startVerifier(config, { logger: pino({ level: 'silent' }) });
};
const admin = () => ({ authorization: `Bearer ${payer.service.adminToken}` });
const post = async (path: string, body: object) => (await fetch(new URL(path, second.url), { method: 'POST', headers: { ...admin(), 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
const quick = async <T>(work: Promise<T>): Promise<T> => {
  const from = performance.now();
  const result = await work;
  expect(performance.now() - from).toBeLessThan(1000);
  return result;
};
const policyOf = (changes: Partial<Policy>): string => {
  const { operator } = loadKeys(payer.service.config.keys.dir, payer.service.config.deposit.origin);
  return seal(POLICY, { ...DEFAULT_POLICY, iss: ISSUER, iat: Math.floor(Date.now() / 1000), ...PAYER_POLICY, ...changes }, operator);
};
const drained = async (): Promise<void> => { await new Promise((done) => { setTimeout(done, 300); }); };

describe('a device that is connected to another process', () => {
  it('hears of a freeze and a thaw within a second, each once, and pays no more in between', async () => {
    await post('/v1/delegation/orders', { order: payer.order('freeze', payer.carrierId) });
    expect(await quick(payer.link.next('revoked'))).toEqual({ subject: payer.carrierId, state: 'frozen' });
    expect((await payer.link.next('mandates', ({ mandates }) => mandates.some(({ state }) => state === 'suspended'))).mandates).toHaveLength(1);
    await post('/v1/delegation/orders', { order: payer.order('thaw', payer.carrierId) });
    expect(await quick(payer.link.next('revoked'))).toEqual({ subject: payer.carrierId, state: 'active' });
    await drained();
    const store = await payer.service.store();
    expect(await store.outbox(0), 'rows stay for the others').not.toHaveLength(0);
    await store.clearOutbox(Date.now() + 1);
    expect(await store.outbox(0)).toHaveLength(0);
    await store.close();
  });

  it('hears of a confirmation', async () => {
    const message = await payer.attempt(payer.intent({ amount: { amount: 15_000n, currency: 'CNY' }, bound: 'exact', payee: { id: 'merchant_1', origin: 'https://flowers.example', name: null }, expiresAt: Math.floor(Date.now() / 1000) + 200 }));
    const store = await payer.service.store();
    await post('/v1/delegation/carriers', { request: payer.carrierRequest({ rev: 2, rules: { ...payer.rules, confirmAbove: 10_000n } }) });
    await payer.giveMandate();
    const waiting = await payer.attempt({ ...message.intent });
    const told = await payer.decision(waiting);
    expect(told.state).toBe('confirm_required');
    await post(`/v1/payment/payments/${waiting.paymentId}/confirmations`, { token: payer.confirmation(waiting) });
    expect((await quick(payer.link.next('confirmed'))).paymentId).toBe(waiting.paymentId);
    await store.close();
  });

  it('hears of another policy, and the process that it is connected to decides by it', async () => {
    const policy = policyOf({ version: 9 });
    await post('/v1/trust/policy', { policy });
    expect((await quick(payer.link.next('policy', (body) => body.policy === policy))).policy).toBe(policy);
    expect((await payer.service.get('/v1/trust/policy')).policy).toBe(policy);
  });
});

describe('a policy that was put in force', () => {
  const inForce = async (url: string): Promise<string> => ((await (await fetch(new URL('/v1/trust/policy', url))).json()) as { policy: string }).policy;

  it('reaches a process that no device is connected to, and outlives a restart', async () => {
    const policy = policyOf({ version: 10 });
    expect(await payer.service.post('/v1/trust/policy', { policy })).toEqual({ policy });
    await drained();
    expect(await inForce(second.url)).toBe(policy);
    await second.close();
    second = await another();
    expect(await inForce(second.url), 'the file is older').toBe(policy);
  });

  it('is not replaced by an older one at a process that has not heard of it yet', async () => {
    const [older, newer] = [policyOf({ version: 11 }), policyOf({ version: 12 })];
    await payer.service.post('/v1/trust/policy', { policy: newer });
    expect(await post('/v1/trust/policy', { policy: older })).toMatchObject({ code: 'store.conflict' });
    expect(await inForce(second.url)).toBe(newer);
  });

  it('of two that are put in force at once is the newer one, at every process', async () => {
    const [older, newer] = [policyOf({ version: 13 }), policyOf({ version: 14 })];
    await Promise.all([payer.service.call('POST', '/v1/trust/policy', { body: { policy: newer } }), post('/v1/trust/policy', { policy: older })]);
    await drained();
    expect([await inForce(payer.service.running.url), await inForce(second.url)]).toEqual([newer, newer]);
  });

  it('is not replaced by a file of the operator that says no newer version: the start is refused, for he would believe in force what is not', async () => {
    const { policyFile } = payer.service.config.trust;
    const before = readFileSync(policyFile, 'utf8');
    writeFileSync(policyFile, policyOf({ version: 10, minTier: 'T3' }));
    await expect(another()).rejects.toMatchObject({ code: 'config.invalid', message: expect.stringContaining('version 10') as string });
    writeFileSync(policyFile, before);
  });
});

/** Server-sent events, as they come. */
async function* events(url: string, path: string): AsyncGenerator<{ id: number; event: string; data: any }> {
  const response = await fetch(new URL(path, url), { headers: admin() });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(part).toString();
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const [, id, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.+)$/.exec(text.slice(0, at)) ?? [];
      text = text.slice(at + 2);
      if (data !== undefined) yield { id: Number(id), event: event!, data: JSON.parse(data) };
    }
  }
}

describe('the events of a user', () => {
  it('come from every process, as they are deposited, and go on where a listener left', async () => {
    const all = events(second.url, `/v1/payment/events?user_id=${payer.userId}&after=0`);
    const seen: string[] = [];
    while (!seen.includes('confirmed')) seen.push((await quick(all.next())).value!.event);
    expect(seen).toContain('confirm_required');
    await post('/v1/delegation/orders', { order: payer.order('freeze', payer.carrierId) });
    const last = (await quick(all.next())).value!;
    expect(last).toMatchObject({ event: 'revoked', data: { chain: payer.carrierId, index: last.id, payment_id: null } });
    await all.return(undefined);
    await post('/v1/delegation/orders', { order: payer.order('thaw', payer.carrierId) });
    const resumed = events(payer.service.running.url, `/v1/payment/events?user_id=${payer.userId}&after=${last.id}`);
    expect((await resumed.next()).value).toMatchObject({ event: 'rules_changed', data: { chain: payer.carrierId } });
    await resumed.return(undefined);
  });

  it('are those of this user alone, and for the operator alone to ask', async () => {
    const other = await payer.service.user('someone else');
    const none = events(second.url, `/v1/payment/events?user_id=${other.userId}&after=0`);
    await post('/v1/delegation/orders', { order: payer.order('freeze', payer.carrierId) });
    const heard: string[] = [];
    void (async () => { for await (const { data } of none) heard.push(data.chain); })().catch(() => undefined);
    await drained();
    await drained();
    expect(heard.filter((chain) => chain !== other.userId)).toEqual([]);
    await post('/v1/delegation/orders', { order: payer.order('thaw', payer.carrierId) });
    expect((await fetch(new URL(`/v1/payment/events?user_id=${payer.userId}`, second.url))).status).toBe(401);
    expect((await fetch(new URL('/v1/payment/events', second.url), { headers: admin() })).status).toBe(400);
  });

  it('end with the process, which waits for no listener', async () => {
    const third = await another();
    const listening = events(third.url, `/v1/payment/events?user_id=${payer.userId}&after=0`);
    await listening.next();
    const ended = (async () => { for await (const _ of listening); })();
    const from = performance.now();
    await third.close();
    await ended.catch(() => undefined);
    expect(performance.now() - from).toBeLessThan(3000);
  });
});

describe('ari carrier statement', () => {
  it('adds up what happened from leaves and receipts alone', async () => {
    await payer.giveMandate();
    const message = await payer.attempt(payer.intent());
    expect((await payer.decision(message)).state).toBe('permitted');
    await payer.link.next('execution');
    const keys = join(dir, 'keys.json');
    writeFileSync(keys, (await payer.service.call('GET', '/.well-known/jwks.json', { admin: false })).text);
    const run = (...more: string[]) => ari('carrier', 'statement', payer.carrierId, '-u', payer.service.running.url, '--admin-token-file', join(payer.service.dir, 'admin.token'), '--keys', keys, ...more);
    const { status, out } = await run('--json');
    const told = JSON.parse(out);
    expect([status, told.ok, told.paid, told.spent_as_said, told.wrong]).toEqual([0, true, 9900, 9900, []]);
    expect(told.lines.at(-1)).toMatchObject({ kind: 'settled', amount: 9900, total: 9900, payment_id: message.paymentId });
    expect((await run()).out).toMatch(/settled +99\.00 CNY +99\.00 CNY +pay_/);
  });
});
