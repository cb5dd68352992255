/** Offline allowances: the hold, the line of the counter, and that no sequence of anything spends beyond either. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import type { DecideResult, OfflineSpend, Store } from '../../../verifier/store/verbs.js';
import { type MakeDatabase, useWorld } from './bench.js';
import { decisionOf, enrolDevice, headAt, leaf, mandateRow, NOW, permit } from './world.js';

const RETRY = { ok: false, retry: true };
const clock = { resetCount: 5, restartCount: 0, clock: 1000n, seq: 0, ctr: 1n, attestSha256: sha256('a') };

export const offlineSuite = (make: MakeDatabase) => describe('offline allowances', () => {
  const world = useWorld(make);
  const carrier = async (store: Store = world.store) => (await store.carrier('crr_1'))!;

  async function issue(id = 'one', over: Partial<Parameters<Store['issueAllowance']>[0]> = {}): Promise<DecideResult> {
    const { rev, stateSeq } = await carrier();
    return world.store.issueAllowance({
      allowanceId: `alw_${id}`, carrierId: 'crr_1', rev, stateSeq, mandateId: 'mnd_1', maxPayments: 100, deviceId: 'dev_1', akName: 'ak_1', token: `allowance ${id}`, maxCount: 3, maxTotal: 50n, clock, ctrBase: 1n,
      uploadUntilMs: NOW + 10_000, leaf: leaf(`evt_alw_${id}`, 'allowance_issued'), nowMs: NOW, ...over,
    });
  }
  async function spendInput(payment: string, ctr: bigint, amount: bigint | null = 10n, id = 'one'): Promise<OfflineSpend> {
    const allowance = (await world.store.allowance(`alw_${id}`))!;
    const paymentId = `pay_${payment}`;
    return {
      allowance, akName: 'ak_1', clock: { ...allowance.clock, ctr, clock: allowance.clock.clock + 1n, seq: allowance.clock.seq + 1 }, nonce: { value: `nonce ${payment} ${ctr}` }, reservationId: `rsv_${payment}`, amount, stateSeq: (await carrier()).stateSeq,
      payment: { paymentId, deviceId: 'dev_1', agentId: 'agent', idempotencyKey: `key ${payment}`, requestSha256: sha256(`request ${payment}`), paymentSha256: sha256(paymentId), intent: '{}', mandateId: 'mnd_1', carrierId: 'crr_1' },
      attempt: { n: 1, evidence: '{}', ear: 'ear', stateJson: '{}', decision: 'decision', decisionKind: amount === null ? 'deny' : 'permit', decidedMs: NOW }, code: amount === null ? 'offline.total' : null,
      leaf: leaf(`evt_${payment}`, amount === null ? 'denied' : 'permitted', 'crr_1', { payment: sha256(paymentId) }), nowMs: NOW,
    };
  }
  const spend = async (...args: Parameters<typeof spendInput>): Promise<DecideResult> => world.store.spendOffline(await spendInput(...args));
  const closing = (id = 'one', keep = { count: 0, total: 0n }) => ({ allowanceId: `alw_${id}`, keep, leaf: leaf(`evt_close_${id}`, 'allowance_closed'), nowMs: NOW });
  /** The device connects: its counter rises and is certified. */
  async function connect(): Promise<void> {
    const before = (await world.store.clock('ak_1'))!;
    await world.store.acceptPlatform({
      nonce: { value: `platform ${before.ctr}`, deviceId: 'dev_1', purpose: 'platform', expiresMs: NOW + 1 }, deviceId: 'dev_1', platformSha256: sha256(`platform ${before.ctr}`), evidence: '{}', appraisal: '{}', ima: null, nowMs: NOW,
      device: { akName: 'ak_1', before, after: { ...before, ctr: before.ctr! + 10n, clock: before.clock + 1n }, head: headAt('1', 1), entries: [] },
    });
    await world.store.stopAllowances('dev_1');
  }

  it('hold their whole amount and all their payments from the start', async () => {
    expect(await issue()).toEqual({ ok: true });
    expect(await carrier()).toMatchObject({ available: 50n, reserved: 50n, spent: 0n });
    expect((await world.store.mandate('mnd_1'))?.uses).toBe(3);
    expect(await world.store.heldOffline('crr_1')).toEqual({ count: 3, total: 50n });
    const { state } = await world.store.authority({ carrierId: 'crr_1', mandateId: 'mnd_1', payee: { id: 'shop', origin: null }, windowsFromMs: [NOW] });
    expect(state.windows, 'they may be spent at any moment').toEqual([{ spent: 50n, count: 3 }]);
  });

  it.each<[string, Partial<Parameters<Store['issueAllowance']>[0]>, unknown]>([
    ['for more than is there', { maxTotal: 101n }, RETRY],
    ['for more payments than the mandate has', { maxPayments: 2 }, RETRY],
    ['on a carrier that has moved', { stateSeq: 99 }, RETRY],
  ])('are not issued %s, and nothing is held', async (_, over, answer) => {
    expect(await issue('one', over)).toEqual(answer);
    expect(await carrier()).toMatchObject({ available: 100n, reserved: 0n });
    expect((await world.store.mandate('mnd_1'))?.uses).toBe(0);
  });

  const freeze = (kind: 'device' | 'carrier', subject: string, state: string): Promise<boolean> => world.store.setState({ subject, kind, state, leaf: leaf(`evt_freeze_${subject}`, 'revoked', subject), nowMs: NOW });

  it('are not issued to a device that was frozen since it was read', async () => {
    await freeze('device', 'dev_1', 'suspended');
    expect(await issue()).toEqual(RETRY);
    expect(await carrier()).toMatchObject({ available: 100n, reserved: 0n });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a device that was frozen', () => freeze('device', 'dev_1', 'suspended')],
    ['a carrier that moved, by a freeze or the end of a key of its user,', () => freeze('carrier', 'crr_1', 'frozen')],
  ])('pay nothing of %s since the payment was judged', async (_, meanwhile) => {
    await issue();
    const judged = await spendInput('a', 2n);
    await meanwhile();
    expect(await world.store.spendOffline(judged)).toEqual(RETRY);
    expect(await world.store.allowance('alw_one')).toMatchObject({ count: 0, spent: 0n });
  });

  it('are one per mandate and device, until the device has come back', async () => {
    await issue();
    expect(await issue('two')).toEqual({ ok: false, retry: false, code: 'store.conflict' });
    expect((await world.store.liveAllowance('mnd_1', 'dev_1'))?.token).toBe('allowance one');
    await world.store.stopAllowances('dev_1');
    expect(await world.store.liveAllowance('mnd_1', 'dev_1'), 'the counter is where it was: the device never left').not.toBeNull();
    await connect();
    expect(await world.store.liveAllowance('mnd_1', 'dev_1')).toBeNull();
    expect(await world.store.stoppedAllowances('dev_1')).toMatchObject([{ allowanceId: 'alw_one', ctrEnd: 11n, counted: 0 }]);
    expect(await issue('two', { ctrBase: 11n })).toEqual({ ok: true });
  });

  it('pay out of their hold, and give the rest back', async () => {
    await issue();
    expect(await spend('a', 2n, 20n)).toEqual({ ok: true });
    expect(await spend('b', 4n, null), 'what is denied takes its value of the counter').toEqual({ ok: true });
    expect(await carrier()).toMatchObject({ available: 50n, reserved: 50n });
    expect(await world.store.allowance('alw_one')).toMatchObject({ count: 1, spent: 20n, counted: 2, clock: { ctr: 4n } });
    await world.store.closeAllowance(closing('one', { count: 1, total: 25n }));
    await world.store.closeAllowance(closing('one', { count: 1, total: 25n }));
    expect(await carrier(), 'a value is missing: what it may be worth is kept').toMatchObject({ available: 55n, reserved: 45n });
    expect((await world.store.mandate('mnd_1'))?.uses).toBe(2);
    expect(await spend('c', 5n, 26n), 'and no more').toEqual(RETRY);
    await world.store.closeAllowance(closing());
    await world.store.closeAllowance(closing());
    expect(await carrier()).toMatchObject({ available: 80n, reserved: 20n });
    expect((await world.store.mandate('mnd_1'))?.uses).toBe(1);
    expect(world.db.sql(`SELECT event_id FROM log_queue WHERE event_id = 'evt_close_one'`), 'one leaf').toHaveLength(1);
  });

  it('count no payment against their gap that was made after their end', async () => {
    await issue();
    await connect();
    await spend('after', 12n, null);
    expect(await world.store.allowance('alw_one')).toMatchObject({ ctrEnd: 11n, counted: 0 });
  });

  it.each<[string, () => Promise<unknown>, unknown]>([
    ['the same value of the counter', () => spend('b', 2n), RETRY],
    ['more than is left of the amount', () => spend('b', 3n, 31n), RETRY],
    ['from a hold that was given back', async () => { await world.store.closeAllowance(closing()); return spend('b', 3n); }, RETRY],
    ['another payment under a known name', () => spend('a', 3n), { ok: false, retry: false, code: 'decision.already_permitted' }],
  ])('do not pay %s', async (_, work, answer) => {
    await issue();
    await spend('a', 2n, 20n);
    expect(await work()).toEqual(answer);
    expect(await world.store.allowance('alw_one')).toMatchObject({ count: 1, spent: 20n, counted: 1 });
  });

  it('do not pay a fourth of three', async () => {
    await issue();
    for (const [payment, ctr] of [['a', 2n], ['b', 3n], ['c', 4n]] as const) expect(await spend(payment, ctr, 1n)).toEqual({ ok: true });
    expect(await spend('d', 5n, 1n)).toEqual(RETRY);
  });

  it('are for whoever is first with a value of the counter: of two at the same moment one wins', async () => {
    await issue();
    const [a, b] = [await spendInput('a', 2n), await spendInput('b', 2n)];
    const answers = await Promise.all([world.store.spendOffline(a), world.other.spendOffline(b)]);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers).toContainEqual(RETRY);
    expect(await world.store.allowance('alw_one')).toMatchObject({ count: 1, counted: 1 });
  });

  it('of two that end at the same moment the money goes back once', async () => {
    await issue();
    await Promise.all([world.store.closeAllowance(closing()), world.other.closeAllowance(closing())]);
    expect(await carrier()).toMatchObject({ available: 100n, reserved: 0n });
  });

  it('of a key that was replaced end where nobody can see', async () => {
    await enrolDevice(world.store, '2');
    await world.store.addMandate(mandateRow('mnd_2', '2'));
    await issue('two', { mandateId: 'mnd_2', deviceId: 'dev_2', akName: 'ak_1' });
    await world.store.stopAllowances('dev_2');
    expect(await world.store.liveAllowance('mnd_2', 'dev_2')).toBeNull();
  });

  it('past their time are found, each until it has ended', async () => {
    await issue();
    expect(await world.store.overdueAllowances(NOW + 9_999)).toEqual([]);
    expect(await world.store.overdueAllowances(NOW + 10_000)).toHaveLength(1);
    await world.store.closeAllowance(closing());
    expect(await world.store.overdueAllowances(NOW + 10_000)).toEqual([]);
  });

  const step = fc.oneof(
    { weight: 2, arbitrary: fc.record({ what: fc.constant('issue' as const), total: fc.bigInt({ min: 1n, max: 60n }), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 6, arbitrary: fc.record({ what: fc.constant('spend' as const), amount: fc.bigInt({ min: 1n, max: 40n }), skip: fc.bigInt({ min: -1n, max: 3n }), twice: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('online' as const), amount: fc.bigInt({ min: 1n, max: 40n }) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('close' as const), keep: fc.record({ count: fc.integer({ min: 0, max: 2 }), total: fc.bigInt({ min: 0n, max: 30n }) }) }) },
  );

  it('never spend more than they hold, whatever is done in whatever order', async () => {
    let run = 0;
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const prefix = `r${run++}`;
      let [nth, ctr, id] = [0, ((await world.store.clock('ak_1'))!.ctr ?? 1n), ''];
      for (const one of steps) {
        const name = `${prefix}-${nth++}`;
        if (one.what === 'issue') {
          await connect();
          ctr = (await world.store.clock('ak_1'))!.ctr!;
          if ((await issue(name, { maxTotal: one.total, maxCount: one.count, ctrBase: ctr })).ok) id = name;
        } else if (one.what === 'spend' && id !== '') {
          const input = await spendInput(name, (ctr += one.skip), one.amount, id);
          await Promise.all([world.store.spendOffline(input), ...(one.twice ? [world.other.spendOffline(input)] : [])]).catch(() => null);
        } else if (one.what === 'online') {
          const input = await decisionOf(world.store, 'permit', { payment: name, amount: one.amount }).catch(() => null);
          if (input) await world.store.decide(input);
        } else if (one.what === 'close' && id !== '') await world.store.closeAllowance(closing(id, one.keep));
        const { available, reserved, spent } = await carrier();
        expect(available >= 0n && available + reserved + spent === 100n).toBe(true);
      }
      if (id !== '') await world.store.closeAllowance(closing(id));
    }), { numRuns: 25 });
  });

  it('leave online payments what is not held', async () => {
    await issue();
    expect(await permit(world.store, { payment: 'x', amount: 60n })).toEqual(RETRY);
    expect(await permit(world.store, { payment: 'y', amount: 50n })).toEqual({ ok: true });
  });
});
