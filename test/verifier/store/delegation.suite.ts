import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { type MakeDatabase, refusal, useWorld } from './bench.js';
import { build, carrierInput, decisionOf, enrolDevice, finish, leaf, mandateRow, NOW, ORIGIN, permit, release } from './world.js';

export const delegationSuite = (make: MakeDatabase) => describe('delegation', () => {
  const world = useWorld(make);
  const setState = (subject: string, kind: 'carrier' | 'mandate' | 'device', state: string, event = `evt_${subject}_${state}`) =>
    world.store.setState({ subject, kind, state, leaf: leaf(event, 'revoked'), nowMs: NOW });

  it('users and their keys are written once; the same again is no error, other facts are', async () => {
    await world.store.addUser({ userId: 'usr_1', kind: 'person', nowMs: NOW + 5 });
    expect(await refusal(world.store.addUser({ userId: 'usr_1', kind: 'organisation', nowMs: NOW }))).toBe('store.conflict');
    for (let i = 0; i < 2; i++) await world.store.addUserKey({ keyId: 'k', userId: 'usr_1', publicJwk: '{}' });
    expect(await refusal(world.store.addUserKey({ keyId: 'k', userId: 'usr_1', publicJwk: '{"other":1}' }))).toBe('store.conflict');
    expect(await refusal(world.store.addUserKey({ keyId: 'l', userId: 'usr_9', publicJwk: '{}' }))).toBe('intake.not_found');
    expect(await world.store.userKey('k')).toEqual({ keyId: 'k', userId: 'usr_1', publicJwk: '{}', rpId: null });
    expect(await world.store.userKeys('usr_1')).toHaveLength(1);
    expect(await world.store.userKey('l')).toBeNull();
  });

  it('a user key that is revoked is no longer found, by its own user alone, and moves every carrier of that user', async () => {
    await world.store.addUserKey({ keyId: 'k', userId: 'usr_1', publicJwk: '{}' });
    await world.store.addUser({ userId: 'usr_2', kind: 'person', nowMs: NOW });
    const before = (await world.store.carrier('crr_1'))!.stateSeq;
    const revoke = (userId: string, event = 'evt_k') => world.store.revokeUserKey({ keyId: 'k', userId, leaf: leaf(event, 'revoked', userId), nowMs: NOW });
    expect(await revoke('usr_2')).toBe(false);
    expect([await revoke('usr_1'), await revoke('usr_1', 'evt_again')]).toEqual([true, false]);
    expect([await world.store.userKey('k'), await world.store.userKeys('usr_1')]).toEqual([null, []]);
    expect((await world.store.carrier('crr_1'))!.stateSeq).toBe(before + 1);
    expect(await world.store.userKeyHistory('usr_1')).toEqual([{ keyId: 'k', fromMs: 0, revokedMs: NOW }]);
  });

  it('a permit that was judged before a key was revoked is judged again', async () => {
    await world.store.addUserKey({ keyId: 'k', userId: 'usr_1', publicJwk: '{}' });
    const judged = await decisionOf(world.store, 'permit', { payment: 'a' });
    await world.store.revokeUserKey({ keyId: 'k', userId: 'usr_1', leaf: leaf('evt_k', 'revoked', 'usr_1'), nowMs: NOW });
    expect(await world.store.decide(judged)).toEqual({ ok: false, retry: true });
  });

  it('a user key speaks from its time on', async () => {
    await world.store.addUserKey({ keyId: 'k', userId: 'usr_1', publicJwk: '{}', fromMs: NOW, leaf: leaf('evt_add', 'rules_changed', 'usr_1'), nowMs: NOW });
    expect([await world.store.userKey('k', NOW - 1), await world.store.userKeys('usr_1', NOW - 1)]).toEqual([null, []]);
    expect((await world.store.userKey('k', NOW))?.keyId).toBe('k');
  });

  it('the counter of a passkey only rises, from two connections too; one that counts nothing stays at nothing', async () => {
    for (const keyId of ['k', 'l']) await world.store.addUserKey({ keyId, userId: 'usr_1', publicJwk: '{}', rpId: 'rp' });
    const answers = await Promise.all([world.store.countAssertion('k', 5), world.other.countAssertion('k', 5)]);
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect([await world.store.countAssertion('k', 4), await world.store.countAssertion('k', 0), await world.store.countAssertion('k', 6)]).toEqual([false, false, true]);
    expect([await world.store.countAssertion('l', 0), await world.store.countAssertion('l', 0)]).toEqual([true, true]);
    expect((await world.store.userKey('k'))?.rpId).toBe('rp');
  });

  it('a device has the user who enrolled it, and those who were bound to it, once each', async () => {
    await world.store.addUser({ userId: 'usr_2', kind: 'person', nowMs: NOW });
    for (let i = 0; i < 2; i++) await world.store.bindUser({ deviceId: 'dev_1', userId: 'usr_2', leaf: leaf('evt_bind', 'rules_changed', 'dev_1'), nowMs: NOW });
    expect(await world.store.usersOfDevice('dev_1')).toEqual(['usr_1', 'usr_2']);
    expect(await world.store.usersOfDevice('dev_9')).toEqual([]);
    expect(await refusal(world.store.bindUser({ deviceId: 'dev_9', userId: 'usr_2', leaf: leaf('evt_x', 'rules_changed'), nowMs: NOW }))).toBe('intake.not_found');
  });

  it('manifests, policies and public keys are written once', async () => {
    const manifest = { manifestSha256: 'm', agentId: 'agent', version: '1', token: 't' };
    for (let i = 0; i < 2; i++) await world.store.addManifest(manifest);
    expect(await refusal(world.store.addManifest({ ...manifest, token: 'other' }))).toBe('store.conflict');
    expect(await world.store.manifest('m')).toEqual({ token: 't', agentId: 'agent', version: '1', revokedMs: null });
    expect(await world.store.manifest('n')).toBeNull();

    const policy = { policySha256: 'p', id: 'prod', version: 1, stage: 'enforce', token: 't' };
    for (let i = 0; i < 2; i++) await world.store.putPolicy(policy);
    expect(await refusal(world.store.putPolicy({ ...policy, policySha256: 'q' })), 'one version is one policy').toBe('store.conflict');
    expect(await world.store.policy('p')).toBe('t');
    expect(await world.store.policy('q')).toBeNull();
    await world.store.putPolicy({ ...policy, policySha256: 'r', id: 'another', version: 2, token: 'newer' });
    expect(await world.store.newestPolicy()).toBe('newer');

    const key = { kid: 'v-1', role: 'verifier', jwk: '{}', fromMs: NOW };
    for (let i = 0; i < 2; i++) await world.store.putKey(key);
    expect(await refusal(world.store.putKey({ ...key, jwk: '{"other":1}' }))).toBe('store.conflict');
    expect(await world.store.keys()).toEqual([{ kid: 'v-1', role: 'verifier', jwk: '{}', retiredMs: null }]);
  });

  it('an agent version that is revoked takes its mandates and their statuses with it, those of no other; its leaf and its news are written once', async () => {
    const { store, other } = world;
    const revoke = (manifestSha256: string, event: string) => other.revokeManifest({ manifestSha256, leaf: leaf(event, 'revoked', 'm'), outbox: [{ eventId: event, topic: 'message', subject: 'dev_1', body: '{}', createdMs: NOW }], nowMs: NOW });
    const stands = async () => Promise.all(['mnd_1', 'mnd_2'].map(async (each) => { const { state, manifestRevoked } = (await store.mandate(each))!; return [state, manifestRevoked]; }));
    await store.addManifest({ manifestSha256: sha256('manifest'), agentId: 'agent', version: '1', token: 't' });
    await store.addManifest({ manifestSha256: sha256('newer'), agentId: 'agent', version: '2', token: 't2' });
    await store.addMandate(mandateRow('mnd_2', '1', { manifestSha256: sha256('newer') }));
    for (const subject of ['mnd_1', 'mnd_2']) await store.statusIndex({ list: 'mandates', subject, nowMs: NOW });
    expect(await store.devicesRunning(sha256('manifest'))).toEqual(['dev_1']);
    const before = (await store.carrier('crr_1'))!.stateSeq;
    expect([await revoke(sha256('manifest'), 'e1'), await revoke(sha256('manifest'), 'e2'), await revoke(sha256('unknown'), 'e3')]).toEqual([true, true, false]);
    expect(await stands()).toEqual([['revoked', true], ['valid', false]]);
    expect(await store.statuses('mandates')).toContainEqual({ idx: 0, value: 1 });
    expect((await store.carrier('crr_1'))!.stateSeq).toBe(before + 1);
    expect((await store.outbox(0)).map(({ eventId }) => eventId)).toEqual(['e1']);
    expect((await store.sequence(ORIGIN, 100, build)).filter(({ chain }) => chain === 'm')).toHaveLength(1);
    expect(await store.devicesRunning(sha256('manifest'))).toEqual([]);
    expect(await refusal(store.addMandate(mandateRow('mnd_3', '1')))).toBe('manifest.revoked');
  });

  it('a carrier is opened once and revised in order, by its user, in its currency', async () => {
    expect(await refusal(world.store.putCarrier(carrierInput('crr_1')))).toBe('store.conflict');
    for (const over of [{ rev: 3 }, { rev: 2, userId: 'usr_2' }, { rev: 2, currency: 'EUR' }]) expect(await refusal(world.store.putCarrier(carrierInput('crr_1', over)))).toBe('store.conflict');
    expect(await refusal(world.store.putCarrier(carrierInput('crr_9', { rev: 2 })))).toBe('store.conflict');
    const before = (await world.store.carrier('crr_1'))!;
    await world.store.putCarrier(carrierInput('crr_1', { rev: 2, totalMax: 2000n, token: 'second' }));
    expect(await world.store.carrier('crr_1')).toMatchObject({ rev: 2, totalMax: 2000n, token: 'second', stateSeq: before.stateSeq + 1 });
    expect(await refusal(world.store.putCarrier(carrierInput('crr_1', { rev: 2 })))).toBe('store.conflict');
    expect(await Promise.all([1, 2, 3].map((rev) => world.store.carrierRev('crr_1', rev))), 'each revision stays').toEqual([before.token, 'second', null]);
    expect((await world.store.carriersOf('usr_1')).map((row) => row.carrierId)).toEqual(['crr_1']);
  });

  it('a revision does not set a total below what is reserved and spent, nor revive a revoked carrier', async () => {
    await permit(world.store, { payment: 'a', amount: 60n });
    expect(await refusal(world.store.putCarrier(carrierInput('crr_1', { rev: 2, totalMax: 59n })))).toBe('store.conflict');
    await world.store.putCarrier(carrierInput('crr_1', { rev: 2, totalMax: 60n }));
    await setState('crr_1', 'carrier', 'revoked');
    expect(await refusal(world.store.putCarrier(carrierInput('crr_1', { rev: 3 })))).toBe('store.conflict');
  });

  it('gives each subject one place in its status list, whose value follows its state in the same transaction', async () => {
    const place = (subject: string, list = '1') => world.store.statusIndex({ list, subject, nowMs: NOW });
    expect([await place('crr_1'), await place('x'), await place('crr_1'), await place('mnd_1', '2'), await world.other.statusIndex({ list: '1', subject: 'y', nowMs: NOW })]).toEqual([0, 1, 0, 0, 2]);
    expect(await world.store.statuses('1')).toEqual([{ idx: 2, value: 0 }]);
    await setState('crr_1', 'carrier', 'frozen');
    await setState('mnd_1', 'mandate', 'revoked');
    expect([await world.store.statuses('1'), await world.store.statuses('2')]).toEqual([[{ idx: 0, value: 2 }, { idx: 2, value: 0 }], [{ idx: 0, value: 1 }]]);
    await setState('crr_1', 'carrier', 'active');
    await setState('mnd_1', 'mandate', 'valid');
    expect([await world.store.statuses('1'), await world.store.statuses('2')], 'revoked is for ever').toEqual([[{ idx: 2, value: 0 }], [{ idx: 0, value: 1 }]]);
    expect(await world.store.statuses('3')).toEqual([]);
  });

  it('funds a carrier once for each event, from outside through the main account', async () => {
    for (let i = 0; i < 2; i++) await world.store.fundCarrier({ eventId: 'e', carrierId: 'crr_1', amount: 50n, nowMs: NOW });
    expect((await world.store.carrier('crr_1'))?.available).toBe(150n);
    expect(world.db.sql('SELECT account_id, balance FROM accounts ORDER BY account_id')).toEqual([
      { account_id: 'available:crr_1', balance: 150n }, { account_id: 'external:CNY', balance: -150n }, { account_id: 'main:usr_1:CNY', balance: 0n }, { account_id: 'reserved:crr_1', balance: 0n }]);
    await setState('crr_1', 'carrier', 'revoked');
    for (const carrierId of ['crr_1', 'crr_9']) expect(await refusal(world.store.fundCarrier({ eventId: 'f', carrierId, amount: 1n, nowMs: NOW }))).toBe('intake.not_found');
  });

  it('takes money back out of a carrier once for each event, not more than is free, and allocates from the main account first', async () => {
    await permit(world.store, { payment: 'a', amount: 60n });
    const back = (eventId: string, amount: bigint) => world.store.returnFunds({ eventId, carrierId: 'crr_1', amount, nowMs: NOW });
    expect(await refusal(back('r', 41n))).toBe('carrier.funds');
    for (let i = 0; i < 2; i++) await back('r', 40n);
    expect((await world.store.carrier('crr_1'))?.available).toBe(0n);
    await world.store.fundCarrier({ eventId: 'again', carrierId: 'crr_1', amount: 50n, nowMs: NOW });
    expect(world.db.sql(`SELECT balance FROM accounts WHERE kind = 'external' OR kind = 'main' ORDER BY balance`)).toEqual([{ balance: -110n }, { balance: 0n }]);
    expect(await refusal(world.store.returnFunds({ eventId: 'x', carrierId: 'crr_9', amount: 1n, nowMs: NOW }))).toBe('intake.not_found');
  });

  it('takes no funds of nothing or less', async () => {
    for (const amount of [0n, -5n]) expect(await refusal(world.store.fundCarrier({ eventId: 'e', carrierId: 'crr_1', amount, nowMs: NOW }))).not.toBeNull();
    expect((await world.store.carrier('crr_1'))?.available).toBe(100n);
  });

  it('keeps amounts exactly, beyond 2^53', async () => {
    await world.store.putCarrier(carrierInput('crr_big', { totalMax: 2n ** 62n }));
    await world.store.fundCarrier({ eventId: 'big', carrierId: 'crr_big', amount: 2n ** 60n + 1n, nowMs: NOW });
    expect(await world.store.carrier('crr_big')).toMatchObject({ available: 2n ** 60n + 1n, totalMax: 2n ** 62n });
  });

  it('a mandate is written once, under one id and one hash', async () => {
    await world.store.addMandate(mandateRow('mnd_1', '1'));
    expect(await refusal(world.store.addMandate(mandateRow('mnd_1', '1', { level: 'L4' })))).toBe('store.conflict');
    expect(await refusal(world.store.addMandate(mandateRow('mnd_2', '1', { mandateSha256: sha256('mnd_1') })))).toBe('store.conflict');
    expect(await refusal(world.store.addMandate(mandateRow('mnd_2', '1', { carrierId: 'crr_9' })))).toBe('intake.not_found');
    expect(await world.store.mandate('mnd_1')).toEqual({ ...mandateRow('mnd_1', '1'), state: 'valid', uses: 0, manifestRevoked: false });
    expect(await world.store.mandatesOfDevice('dev_1')).toHaveLength(1);
    await world.store.addMandate(mandateRow('mnd_3', '1', { maxPayments: null }));
    expect((await world.store.mandate('mnd_3'))?.maxPayments).toBeNull();
  });

  it('a payee is found by id and origin; by id alone only when the id names one', async () => {
    const scenario = (origin: string | null) => world.store.payee('shop', origin).then((row) => row?.scenario ?? null);
    await world.store.putPayee({ payeeId: 'shop', origin: 'https://a', scenario: 'books', settleAccount: 'acc' });
    await world.store.putPayee({ payeeId: 'shop', origin: 'https://a', scenario: 'food', settleAccount: 'acc' });
    expect([await scenario('https://a'), await scenario(null), await scenario('https://b')]).toEqual(['food', 'food', null]);
    await world.store.putPayee({ payeeId: 'shop', origin: 'https://b', scenario: 'games', settleAccount: 'acc' });
    expect([await scenario('https://a'), await scenario(null), await scenario('https://b')]).toEqual(['food', null, 'games']);
  });

  it.each<['carrier' | 'mandate' | 'device', string, string, string, string]>([
    ['carrier', 'crr_1', 'frozen', 'active', 'revoked'], ['mandate', 'mnd_1', 'suspended', 'valid', 'revoked'], ['device', 'dev_1', 'suspended', 'enrolled', 'revoked'],
  ])('a %s is stopped, started and ended for ever', async (kind, subject, stopped, live, ended) => {
    const seq = async () => (await world.store.carrier('crr_1'))!.stateSeq;
    const before = await seq();
    expect([await setState(subject, kind, stopped, 'e1'), await setState(subject, kind, live, 'e2'), await setState(subject, kind, ended, 'e3')]).toEqual([true, true, true]);
    expect([await setState(subject, kind, live, 'e4'), await setState(subject, kind, stopped, 'e5'), await setState(subject, kind, 'nonsense', 'e6'), await setState('nobody', kind, ended, 'e7')]).toEqual([false, false, false, false]);
    expect(await setState(subject, kind, ended, 'e8'), 'to be there already is no event').toBe(true);
    expect(world.db.sql(`SELECT event_id FROM log_queue WHERE event_id LIKE 'e_' ORDER BY event_id`).map((row) => row['event_id'])).toEqual(['e1', 'e2', 'e3']);
    if (kind !== 'device') expect(await seq(), 'a decision that read the carrier before is adjudicated again').toBeGreaterThanOrEqual(before + 3);
  });

  it('authority: carrier, mandate, payee and windows as one state', async () => {
    await world.store.putPayee({ payeeId: 'shop', origin: '', scenario: 'books', settleAccount: 'acc' });
    await permit(world.store, { payment: 'old', amount: 5n, nowMs: NOW - 1000 });
    for (const payment of ['a', 'b']) await permit(world.store, { payment, amount: 20n });
    for (const payment of ['a', 'b']) await release(world.store, payment);
    for (const payment of ['a', 'b']) await world.store.startRedemption({ jti: `tok_${payment}`, requestSha256: 'r', amount: 10n, nowMs: NOW });
    await world.store.finishRedemption(finish('a', { captured: 15n }));
    await world.store.finishRedemption(finish('b', { outcome: 'failed', captured: 0n, code: 'settle.declined' }));
    await permit(world.store, { payment: 'c', amount: 30n });
    const { carrier, mandate, state } = await world.store.authority({ carrierId: 'crr_1', mandateId: 'mnd_1', payee: { id: 'shop', origin: null }, windowsFromMs: [NOW, NOW - 1000, NOW + 1] });
    expect(state).toEqual({
      carrier: { carrierId: 'crr_1', rev: 1, state: 'active', stateSeq: carrier!.stateSeq, totalMax: 1000n, available: 50n, reserved: 35n, spent: 15n },
      mandate: { mandateId: 'mnd_1', state: 'valid', uses: 3 },
      windows: [{ spent: 45n, count: 2 }, { spent: 50n, count: 3 }, { spent: 0n, count: 0 }],
      scenario: 'books',
    });
    expect(mandate?.uses).toBe(3);
  });

  it('authority over what is not there is null, never a guess', async () => {
    const { carrier, mandate, state } = await world.store.authority({ carrierId: 'crr_9', mandateId: 'mnd_9', payee: { id: 'shop', origin: null }, windowsFromMs: [0] });
    expect({ carrier, mandate, state }).toEqual({ carrier: null, mandate: null, state: { carrier: null, mandate: null, windows: [{ spent: 0n, count: 0 }], scenario: null } });
  });

  it('a carrier serves several devices, each with its mandate', async () => {
    await enrolDevice(world.store, '2');
    await world.store.addMandate(mandateRow('mnd_2', '2'));
    expect((await world.store.mandatesOfDevice('dev_2')).map((row) => row.mandateId)).toEqual(['mnd_2']);
    expect(await permit(world.store, { payment: 'a', device: '2', mandateId: 'mnd_2' })).toEqual({ ok: true });
  });
});
