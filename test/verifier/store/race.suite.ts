import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import type { Store } from '../../../verifier/store/verbs.js';
import { type MakeDatabase, useWorld } from './bench.js';
import { type Answer, StoreProcess } from './process.js';
import { build, carrierInput, decisionOf, draft, enrolDevice, type Enrolment, enrolmentOf, finish, headAt, leaf, logRows, mandateRow, NOW, ORIGIN, permit, release } from './world.js';

type Call = [verb: keyof Store, ...args: unknown[]];
const won = (answers: Answer[]): number => answers.filter(({ result }) => result !== undefined && result !== null && result !== false).length;
const refusals = (answers: Answer[]): (string | undefined)[] => answers.flatMap(({ refused }) => refused ?? []);
/** How many of the answers to `decide` say that it was done. */
const decided = (answers: Answer[]): number => answers.filter(({ result }) => (result as { ok?: boolean }).ok === true).length;

export const raceSuite = (make: MakeDatabase) => describe('two processes race', () => {
  const world = useWorld(make);
  let racers: StoreProcess[];
  beforeAll(() => { racers = [new StoreProcess(), new StoreProcess()]; });
  afterAll(() => Promise.all(racers.map((racer) => racer.kill())));

  const race = async (...calls: Call[]): Promise<Answer[]> => {
    await Promise.all(racers.map((racer) => racer.ask('open', world.db.place)));
    return Promise.all(calls.map((call, at) => racers[at % 2]!.ask(...call)));
  };
  const both = (...call: Call): Promise<Answer[]> => race(call, call);
  const enrolment = async (device: string, over: Enrolment): Promise<Call> => ['enrol', await enrolmentOf(world.store, device, over)];

  const aCode = (): Promise<void> => world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW + 600_000, reEnrol: false });
  const session = (sessionId: string, ekSha256: string) => ({ sessionId, ekSha256, akName: 'a', secretMac: 'm', codeSha256: 'c', expiresMs: NOW + 10, nowMs: NOW });

  it('for an enrolment code: one has it', async () => {
    await aCode();
    expect(won(await both('useEnrolCode', 'c', NOW))).toBe(1);
  });

  it('for an enrolment session: one has it', async () => {
    await aCode();
    await world.store.openEnrolSession(session('s', 'e'));
    expect(won(await both('useEnrolSession', 's', NOW))).toBe(1);
  });

  it('for an enrolment code with two TPMs: it is reserved for one', async () => {
    await aCode();
    expect(won(await race(['openEnrolSession', session('x', 'one')], ['openEnrolSession', session('y', 'other')]))).toBe(1);
  });

  it('for the last step with one code: one device is enrolled, and the other TPM\'s proof is refused', async () => {
    await aCode();
    const [x, y] = [await enrolment('x', { codeSha256: 'c' }), await enrolment('y', { codeSha256: 'c' })];
    expect(refusals(await race(x, y))).toEqual(['enrol.code']);
    expect(refusals(await both(...x)), 'nor a second time').toEqual(['enrol.code', 'enrol.code']);
    expect(world.db.sql(`SELECT device_id FROM devices WHERE device_id <> 'dev_1'`)).toEqual([{ device_id: 'dev_x' }]);
  });

  it('for the last step of one TPM in two sessions: it is one device with one key', async () => {
    await aCode();
    const again = (akName: string) => enrolment('x', { codeSha256: 'c', akName, leaf: leaf(`evt_${akName}`, 'enrolled', 'dev_x') });
    expect(refusals(await race(await again('ak_x'), await again('ak_y')))).toEqual(['enrol.code']);
    expect(world.db.sql(`SELECT count(*) AS n FROM device_keys WHERE device_id = 'dev_x'`)).toEqual([{ n: 1n }]);
  });

  it('for a key of a cloud: it vouches for one device, whatever endorsement key is shown', async () => {
    const providerSha256 = sha256('cloud');
    expect(refusals(await race(await enrolment('x', { providerSha256 }), await enrolment('y', { providerSha256 })))).toEqual(['enrol.device_conflict']);
  });

  it('for a TPM: it becomes one device', async () => {
    const ekSha256 = sha256('one TPM');
    expect(refusals(await race(await enrolment('x', { ekSha256 }), await enrolment('y', { ekSha256 })))).toEqual(['enrol.device_conflict']);
  });

  it('for a new key of a device: it gets one', async () => {
    const again = (akName: string) => enrolment('1', { akName, reEnrol: true, leaf: leaf(`evt_${akName}`, 'enrolled', 'dev_1') });
    await race(await again('ak_x'), await again('ak_y'));
    expect(world.db.sql('SELECT ak_name FROM device_keys WHERE retired_ms IS NULL')).toHaveLength(1);
  });

  it('for a nonce: one consumes it', async () => {
    expect(won(await both('consumeNonce', { value: 'n', deviceId: 'dev_1', purpose: 'payment', expiresMs: NOW + 1 }, NOW))).toBe(1);
  });

  it('for a device\'s next platform part: a clone loses', async () => {
    const before = (await world.store.clock('ak_1'))!;
    const call = (nonce: string): Call => ['acceptPlatform', {
      nonce: { value: nonce, deviceId: 'dev_1', purpose: 'platform', expiresMs: NOW + 1 }, deviceId: 'dev_1', platformSha256: nonce, evidence: '', appraisal: '', nowMs: NOW,
      device: { akName: 'ak_1', before, after: { ...before, clock: before.clock + 1n }, head: headAt('1', 1), entries: [] },
    }];
    expect(won(await race(call('a'), call('b')))).toBe(1);
  });

  it('for the history of an epoch: one of two is kept', async () => {
    const showing = async (payment: string): Promise<Call> => {
      const input = await decisionOf(world.store, 'deny', { payment });
      return ['decide', { ...input, device: { ...input.device!, head: headAt('1', 3, { register: payment }), entries: [logRows(1)[0]!, ...logRows(3, payment).slice(1)] } }];
    };
    expect(decided(await race(await showing('a'), await showing('b')))).toBe(1);
    expect(world.db.sql('SELECT n FROM measurements')).toHaveLength(3);
  });

  it('for the next revision of a carrier: one makes it', async () => {
    expect(refusals(await race(['putCarrier', carrierInput('crr_1', { rev: 2, token: 'a' })], ['putCarrier', carrierInput('crr_1', { rev: 2, token: 'b', leaf: leaf('other', 'rules_changed') })]))).toEqual(['store.conflict']);
  });

  it('for one funding: the money comes once', async () => {
    await both('fundCarrier', { eventId: 'e', carrierId: 'crr_1', amount: 7n, nowMs: NOW });
    expect((await world.store.carrier('crr_1'))?.available).toBe(107n);
  });

  it('for a mandate\'s id: one mandate has it', async () => {
    expect(refusals(await race(['addMandate', mandateRow('mnd_2', '1')], ['addMandate', mandateRow('mnd_2', '1', { level: 'L4' })]))).toEqual(['store.conflict']);
  });

  it('for a user, a key, a policy, a manifest: other facts under one name lose', async () => {
    const pairs: [Call, Call][] = [
      [['addUser', { userId: 'u', kind: 'person', nowMs: 1 }], ['addUser', { userId: 'u', kind: 'organisation', nowMs: 1 }]],
      [['addUserKey', { keyId: 'k', userId: 'usr_1', publicJwk: 'a' }], ['addUserKey', { keyId: 'k', userId: 'usr_1', publicJwk: 'b' }]],
      [['putPolicy', { policySha256: 'a', id: 'p', version: 1, stage: 'learn', token: 'a' }], ['putPolicy', { policySha256: 'b', id: 'p', version: 1, stage: 'learn', token: 'b' }]],
      [['putKey', { kid: 'v-1', role: 'verifier', jwk: 'a', fromMs: 1 }], ['putKey', { kid: 'v-1', role: 'verifier', jwk: 'b', fromMs: 1 }]],
      [['addManifest', { manifestSha256: 'm', agentId: 'a', version: '1', token: 'a' }], ['addManifest', { manifestSha256: 'm', agentId: 'a', version: '1', token: 'b' }]],
    ];
    for (const [one, other] of pairs) expect(refusals(await race(one, other))).toEqual(['store.conflict']);
  });

  it('for a nonce in two decisions: one is made', async () => {
    const [a, b] = [await decisionOf(world.store, 'deny', { payment: 'a', nonce: 'n' }), await decisionOf(world.store, 'deny', { payment: 'b', nonce: 'n' })];
    expect(decided(await race(['decide', { ...a, device: null }], ['decide', { ...b, device: null }]))).toBe(1);
    expect(world.db.sql('SELECT nonce FROM attempts')).toHaveLength(1);
  });

  it('for the permit of a payment: it is permitted once', async () => {
    const [a, b] = [await decisionOf(world.store, 'permit', { payment: 'a', n: 1 }), await decisionOf(world.store, 'permit', { payment: 'a', n: 2 })];
    expect(decided(await race(['decide', a], ['decide', { ...b, reserve: { ...b.reserve!, reservationId: 'rsv_b' } }]))).toBe(1);
    expect(world.db.sql('SELECT payment_id FROM reservations')).toHaveLength(1);
  });

  it('for an idempotency key: one payment has it', async () => {
    const [a, b] = [await decisionOf(world.store, 'deny', { payment: 'a' }), await decisionOf(world.store, 'deny', { payment: 'b' })];
    const answers = await race(['decide', { ...a, device: null }], ['decide', { ...b, device: null, payment: { ...b.payment, idempotencyKey: a.payment.idempotencyKey } }]);
    expect(decided(answers)).toBe(1);
  });

  it('for the last slot of a mandate: one takes it', async () => {
    await enrolDevice(world.store, '2');
    await world.store.addMandate(mandateRow('mnd_2', '1', { maxPayments: 1 }));
    const of = async (device: string): Promise<Call> => ['decide', await decisionOf(world.store, 'permit', { payment: device, device, mandateId: 'mnd_2' })];
    expect(decided(await race(await of('1'), await of('2')))).toBe(1);
    expect((await world.store.mandate('mnd_2'))?.uses).toBe(1);
  });

  it('for the last money of a carrier: 16 want 60 of 100, one gets it', async () => {
    for (let i = 0; i < 16; i++) await enrolDevice(world.store, `r${i}`);
    await Promise.all(racers.map((racer) => racer.ask('open', world.db.place)));
    const kinds = await Promise.all(Array.from({ length: 16 }, (_, i) => racers[i % 2]!.ask('adjudicate', { payment: `r${i}`, amount: 60n, device: `r${i}` })));
    expect(kinds.filter(({ result }) => result === 'permit')).toHaveLength(1);
    expect(kinds.filter(({ result }) => result === 'deny')).toHaveLength(15);
  });

  it.each([['carrier', 'crr_1'], ['mandate', 'mnd_1'], ['device', 'dev_1']])('a permit against the revocation of its %s: after the answer nothing is permitted', async (kind, subject) => {
    const input = await decisionOf(world.store, 'permit', { payment: 'a' });
    const [permitted, revoked] = await race(['decide', input], ['setState', { subject, kind, state: 'revoked', leaf: leaf('evt_rev', 'revoked'), nowMs: NOW }]);
    expect(revoked).toEqual({ result: true });
    expect(decided([permitted!]) === 1).toBe((await world.store.reservation('pay_a')) !== null);
    expect(await permit(world.store, { payment: 'b' })).toEqual({ ok: false, retry: true });
  });

  it('for the thaw and the end of a carrier: the end stays', async () => {
    const to = (state: string): Call => ['setState', { subject: 'crr_1', kind: 'carrier', state, leaf: leaf(`evt_${state}`, 'revoked'), nowMs: NOW }];
    await world.store.setState(to('frozen')[1] as Parameters<Store['setState']>[0]);
    await race(to('active'), to('revoked'));
    expect((await world.store.carrier('crr_1'))?.state).toBe('revoked');
  });

  it('for a confirmation: one is taken, and one attempt consumes it', async () => {
    await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'a' }));
    const consent = (id: string): Call => ['addConfirmation', { confirmationId: id, paymentId: 'pay_a', keyId: 'k', token: id, leaf: leaf(id, 'confirmed'), nowMs: NOW }];
    expect(refusals(await race(consent('cnf_1'), consent('cnf_2')))).toEqual(['confirm.not_awaited']);
    const { confirmationId } = (await world.store.confirmation('pay_a'))!;
    const using = async (n: number): Promise<Call> => ['decide', { ...(await decisionOf(world.store, 'deny', { payment: 'a', n })), device: null, confirmationId }];
    expect(decided(await race(await using(2), await using(3)))).toBe(1);
  });

  it('for the token of a payment: both are given the same', async () => {
    await permit(world.store, { payment: 'b' });
    await world.store.sequence(ORIGIN, 100, build);
    const { idx } = (await world.store.leafByEvent('evt_b_1'))!;
    const asking = (jti: string): Call => ['releaseToken', { jti, paymentId: 'pay_b', reservationId: 'rsv_b', leafIdx: idx, token: `token ${jti}`, expiresMs: NOW + 1 }];
    const [one, other] = await race(asking('tok_x'), asking('tok_y'));
    expect(one!.result).toMatch(/^token /);
    expect(other).toEqual(one);
  });

  it('for the redemption of a token: one starts it; with another request, one is refused', async () => {
    for (const payment of ['a', 'b']) {
      await permit(world.store, { payment });
      await release(world.store, payment);
    }
    const answers = await both('startRedemption', { jti: 'tok_a', requestSha256: 'r', amount: 10n, nowMs: NOW });
    expect(answers.filter(({ result }) => (result as { mine: boolean }).mine)).toHaveLength(1);
    expect(refusals(await race(['startRedemption', { jti: 'tok_b', requestSha256: 'r', amount: 10n, nowMs: NOW }], ['startRedemption', { jti: 'tok_b', requestSha256: 's', amount: 10n, nowMs: NOW }]))).toEqual(['token.used']);
  });

  it('redemption against expiry: the money is captured or goes back, never both', async () => {
    await permit(world.store, { payment: 'a' });
    await release(world.store, 'a');
    const [expired, started] = await race(['expireReservations', NOW + 9_000_000], ['startRedemption', { jti: 'tok_a', requestSha256: 'r', amount: 10n, nowMs: NOW }]);
    expect([expired!.result, started!.refused ?? 'started']).toSatisfy((both: unknown[]) => ((both[0] as unknown[]).length === 1) === (both[1] === 'token.expired'));
  });

  it('for the end of a redemption: the first end stays, the money moves once', async () => {
    await permit(world.store, { payment: 'a' });
    await release(world.store, 'a');
    await world.store.startRedemption({ jti: 'tok_a', requestSha256: 'r', amount: 10n, nowMs: NOW });
    await race(['finishRedemption', finish('a', { receipt: 'settled' })], ['finishRedemption', finish('a', { outcome: 'failed', captured: 0n, receipt: 'failed' })]);
    const { state } = (await world.store.payment('pay_a'))!;
    expect(await world.store.receipt('pay_a')).toBe(state);
    expect(await world.store.carrier('crr_1')).toMatchObject({ reserved: 0n, spent: state === 'settled' ? 10n : 0n });
  });

  it('for an expired reservation: it goes back once', async () => {
    await permit(world.store, { payment: 'a' });
    const answers = await both('expireReservations', NOW + 300_000);
    expect(answers.reduce((sum, { result }) => sum + (result as unknown[]).length, 0)).toBe(1);
  });

  it('for the log: each leaf gets one place', async () => {
    for (let i = 0; i < 50; i++) await world.store.queueLeaf(leaf(`e${i}`, 'denied', `chain ${i % 3}`), NOW + i);
    const answers = await race(['sequence'], ['sequence'], ['queueLeaf', { eventId: 'e0', draft: draft('denied') }, NOW], ['sequence']);
    expect(answers.flatMap(({ result }) => result ?? [])).toHaveLength(52);
    expect(await world.store.checkpoint()).toMatchObject({ size: 52 });
  });
});
