import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { type MakeDatabase, refusal, useWorld } from './bench.js';
import { build, decisionOf, finish, leaf, NOW, ORIGIN, permit, release } from './world.js';

export const settlementSuite = (make: MakeDatabase) => describe('settlement', () => {
  const world = useWorld(make);
  const start = (payment: string, requestSha256 = 'request') => world.store.startRedemption({ jti: `tok_${payment}`, requestSha256, amount: 10n, nowMs: NOW });
  const stateOf = async (payment: string) => (await world.store.payment(`pay_${payment}`))?.state;
  const released = async (payment: string, amount = 10n) => {
    await permit(world.store, { payment, amount });
    await release(world.store, payment);
  };

  it('goes from permitted over deposited and released to settled, with the money at the payee', async () => {
    await permit(world.store, { payment: 'a', amount: 60n });
    await world.store.sequence(ORIGIN, 100, build);
    expect(await stateOf('a')).toBe('deposited');
    expect(await release(world.store, 'a')).toBe('token tok_a');
    expect(await stateOf('a')).toBe('released');
    expect(await world.store.executionToken('pay_a')).toEqual({ jti: 'tok_a', token: 'token tok_a', reservationId: 'rsv_a', expiresMs: NOW + 120_000 });
    expect(await start('a')).toEqual({ mine: true, state: 'started', receipt: null });
    await world.store.finishRedemption(finish('a', { captured: 60n }));
    expect(await stateOf('a')).toBe('settled');
    expect(await world.store.carrier('crr_1')).toMatchObject({ available: 40n, reserved: 0n, spent: 60n });
    expect(await world.store.reservation('pay_a')).toMatchObject({ captured: 60n, released: 0n });
    expect(await world.store.receipt('pay_a')).toBe('receipt a');
    expect(world.db.sql(`SELECT balance FROM accounts WHERE account_id = 'payee:CNY:shop'`)).toEqual([{ balance: 60n }]);
    expect(world.db.sql('SELECT state FROM mandate_uses')).toEqual([{ state: 'used' }]);
  });

  describe('release', () => {
    it('gives out the first token for ever', async () => {
      await released('a');
      expect(await release(world.store, 'a', 'tok_second')).toBe('token tok_a');
    });

    it('begins and ends a redemption in its own transaction: all of it, or not even the token', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.sequence(ORIGIN, 100, build);
      const leafIdx = (await world.store.leafByEvent('evt_a_1'))!.idx;
      const token = { jti: 'tok_a', paymentId: 'pay_a', reservationId: 'rsv_a', leafIdx, token: 't', expiresMs: NOW + 1 };
      const begun = { jti: 'tok_a', requestSha256: 'request', amount: 10n, nowMs: NOW };
      expect(await refusal(world.store.releaseToken({ ...token, redeem: { start: begun, finish: finish('a', { captured: 11n }) } }))).toBe('token.amount');
      expect([await world.store.executionToken('pay_a'), await world.store.redemption('pay_a'), await stateOf('a')]).toEqual([null, null, 'deposited']);
      expect(await world.store.releaseToken({ ...token, redeem: { start: begun, finish: finish('a') } })).toBe('t');
      expect([await stateOf('a'), await world.store.receipt('pay_a')]).toEqual(['settled', 'receipt a']);
      expect(await world.store.releaseToken({ ...token, jti: 'tok_b', redeem: { start: { ...begun, jti: 'tok_b' }, finish: finish('a', { receipt: 'another' }) } }), 'the first token stays, and its end').toBe('t');
      expect(await world.store.receipt('pay_a')).toBe('receipt a');
      await permit(world.store, { payment: 'b' });
      await world.store.sequence(ORIGIN, 100, build);
      await world.store.releaseToken({ ...token, jti: 'tok_b', paymentId: 'pay_b', reservationId: 'rsv_b', leafIdx: (await world.store.leafByEvent('evt_b_1'))!.idx, redeem: { start: { ...begun, jti: 'tok_b' }, finish: null } });
      expect(await start('b'), 'who comes after may only ask for the outcome').toEqual({ mine: false, state: 'started', receipt: null });
      await world.store.finishRedemption(finish('b'));
    });

    it('gives out no token before the leaf of this permit is under a checkpoint', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.sequence(ORIGIN, 100, build);
      await permit(world.store, { payment: 'b' });
      await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'c' }));
      const token = { jti: 'tok_b', paymentId: 'pay_b', reservationId: 'rsv_b', token: 't', expiresMs: NOW };
      const own = (await world.store.leafByEvent('evt_a_1'))!.idx;
      expect(await refusal(world.store.releaseToken({ ...token, leafIdx: own })), 'the leaf of another payment').toBe('deposit.unavailable');
      expect(await refusal(world.store.releaseToken({ ...token, leafIdx: own + 1 })), 'a leaf that is not there').toBe('deposit.unavailable');
      await world.store.queueLeaf(leaf('evt_b_denied', 'denied', 'crr_1', { payment: sha256('pay_b') }), NOW - 1);
      await world.store.sequence(ORIGIN, 100, build);
      const denied = (await world.store.leafByEvent('evt_b_denied'))!.idx;
      expect(await refusal(world.store.releaseToken({ ...token, leafIdx: denied })), 'a leaf that is no permit').toBe('deposit.unavailable');
      expect(await world.store.executionToken('pay_b')).toBeNull();
    });

    it('gives out no token for a leaf that no checkpoint covers', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.sequence(ORIGIN, 100, build);
      const [lost] = world.db.sql('DELETE FROM checkpoints RETURNING size, root, note');
      expect(await refusal(release(world.store, 'a'))).toBe('deposit.unavailable');
      world.db.sql(`INSERT INTO checkpoints VALUES(${lost!['size']}, '${lost!['root']}', '${lost!['note']}') RETURNING size`);
      expect(await release(world.store, 'a')).toBe('token tok_a');
    });

    it('gives out no token for another reservation, a payment that is not permitted, or one whose money went back', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.decide(await decisionOf(world.store, 'deny', { payment: 'b' }));
      await world.store.sequence(ORIGIN, 100, build);
      const leafIdx = (await world.store.leafByEvent('evt_a_1'))!.idx;
      const token = { jti: 'tok_a', paymentId: 'pay_a', reservationId: 'rsv_a', leafIdx, token: 't', expiresMs: NOW };
      expect(await refusal(world.store.releaseToken({ ...token, reservationId: 'rsv_b' }))).toBe('token.expired');
      expect(await refusal(world.store.releaseToken({ ...token, paymentId: 'pay_b' }))).toBe('intake.not_found');
      expect(await refusal(world.store.releaseToken({ ...token, paymentId: 'pay_9' }))).toBe('intake.not_found');
      await world.store.expireReservations(NOW + 400_000);
      expect(await refusal(world.store.releaseToken(token))).toBe('token.expired');
    });
  });

  describe('redemption', () => {
    it('is started once; the same request is told what became of it, another is refused', async () => {
      await released('a');
      expect(await start('a')).toMatchObject({ mine: true });
      expect(await start('a')).toEqual({ mine: false, state: 'started', receipt: null });
      expect(await refusal(start('a', 'another request'))).toBe('token.used');
      await world.store.finishRedemption(finish('a'));
      expect(await start('a')).toEqual({ mine: false, state: 'settled', receipt: 'receipt a' });
      expect(await refusal(start('a', 'another request'))).toBe('token.used');
    });

    it('is not started for a token that is not there, nor when the money went back', async () => {
      expect(await refusal(start('a'))).toBe('intake.not_found');
      await released('a');
      expect(await world.store.expireReservations(NOW + 400_000)).toHaveLength(1);
      expect(await refusal(start('a'))).toBe('token.expired');
    });

    it('captures a part and gives the rest back', async () => {
      await released('a', 60n);
      await start('a');
      await world.store.finishRedemption(finish('a', { captured: 45n }));
      expect(await world.store.carrier('crr_1')).toMatchObject({ available: 55n, reserved: 0n, spent: 45n });
      expect(await world.store.reservation('pay_a')).toMatchObject({ captured: 45n, released: 15n });
    });

    it('that failed gives everything back and frees the slot', async () => {
      await released('a', 60n);
      await start('a');
      await world.store.finishRedemption(finish('a', { outcome: 'failed', captured: 0n, code: 'settle.declined' }));
      expect(await world.store.payment('pay_a')).toMatchObject({ state: 'failed', code: 'settle.declined' });
      expect(await world.store.carrier('crr_1')).toMatchObject({ available: 100n, reserved: 0n, spent: 0n });
      expect((await world.store.mandate('mnd_1'))?.uses).toBe(0);
    });

    it('is finished once: a repeat and another outcome change nothing', async () => {
      await released('a', 60n);
      await start('a');
      await world.store.finishRedemption(finish('a', { captured: 60n }));
      const after = await world.store.carrier('crr_1');
      await world.store.finishRedemption(finish('a', { captured: 60n }));
      await world.store.finishRedemption(finish('a', { outcome: 'failed', captured: 0n, receipt: 'another' }));
      expect(await world.store.carrier('crr_1')).toEqual(after);
      expect(await world.store.receipt('pay_a')).toBe('receipt a');
      await world.store.sequence(ORIGIN, 100, build);
      expect(await world.store.leavesOfPayment(sha256('pay_a'))).toHaveLength(2);
    });

    it('takes the money of a reservation once, even if it were forgotten that it ended', async () => {
      for (const payment of ['a', 'b']) await released(payment, 30n);
      await start('a');
      await world.store.finishRedemption(finish('a', { captured: 30n }));
      world.db.sql(`UPDATE redemptions SET state = 'started' RETURNING jti`);
      expect(await refusal(world.store.finishRedemption(finish('a', { captured: 30n })))).toBe('store.busy');
      expect(await world.store.carrier('crr_1')).toMatchObject({ available: 40n, reserved: 30n, spent: 30n });
    });

    it.each([['more than was reserved', { captured: 11n }], ['less than nothing', { captured: -1n }], ['something of a failure', { outcome: 'failed' as const, captured: 1n }]])('captures never %s', async (_, over) => {
      await released('a');
      await start('a');
      expect(await refusal(world.store.finishRedemption(finish('a', over)))).toBe('token.amount');
      expect(await world.store.reservation('pay_a')).toMatchObject({ captured: 0n, released: 0n });
    });

    it('is not finished before it is started, nor for another payment', async () => {
      for (const payment of ['a', 'b']) await released(payment);
      expect(await refusal(world.store.finishRedemption(finish('a')))).toBe('intake.not_found');
      for (const payment of ['a', 'b']) await start(payment);
      expect(await refusal(world.store.finishRedemption(finish('a', { paymentId: 'pay_b' })))).toBe('intake.not_found');
    });

    it('ends also on a carrier that was revoked meanwhile: the permit came before', async () => {
      await released('a');
      await start('a');
      await world.store.setState({ subject: 'crr_1', kind: 'carrier', state: 'revoked', leaf: leaf('evt_r', 'revoked'), nowMs: NOW });
      await world.store.finishRedemption(finish('a'));
      expect(await stateOf('a')).toBe('settled');
    });
  });

  describe('expiry', () => {
    it('gives back what nobody redeems, once', async () => {
      await permit(world.store, { payment: 'a', amount: 60n });
      expect(await world.store.expireReservations(NOW + 299_999)).toHaveLength(0);
      expect(await world.store.expireReservations(NOW + 300_000)).toHaveLength(1);
      expect(await world.store.expireReservations(NOW + 300_000)).toHaveLength(0);
      expect(await stateOf('a')).toBe('expired');
      expect(await world.store.carrier('crr_1')).toMatchObject({ available: 100n, reserved: 0n });
      expect((await world.store.mandate('mnd_1'))?.uses).toBe(0);
    });

    it('leaves alone a token that still lives, and a redemption that was started', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.sequence(ORIGIN, 100, build);
      const leafIdx = (await world.store.leafByEvent('evt_a_1'))!.idx;
      await world.store.releaseToken({ jti: 'tok_a', paymentId: 'pay_a', reservationId: 'rsv_a', leafIdx, token: 't', expiresMs: NOW + 400_000 });
      expect(await world.store.expireReservations(NOW + 399_999)).toHaveLength(0);
      await start('a');
      expect(await world.store.expireReservations(NOW + 9_000_000)).toHaveLength(0);
      expect(await stateOf('a')).toBe('released');
    });
  });

  describe('a token that is held for its payee', () => {
    const hold = (payment: string) => world.store.holdRedemption({ jti: `tok_${payment}`, nowMs: NOW });

    it('keeps its money until the reservation ends, and is captured once by one amount', async () => {
      await released('a', 60n);
      for (let i = 0; i < 2; i++) await hold('a');
      expect(await world.store.redemption('pay_a')).toEqual({ jti: 'tok_a', state: 'held', amount: null, receipt: null });
      expect(await world.store.expireReservations(NOW + 299_999)).toHaveLength(0);
      expect(await start('a')).toMatchObject({ mine: true });
      await hold('a');
      expect(await world.store.redemption('pay_a')).toMatchObject({ state: 'started', amount: 10n });
      expect(await refusal(start('a', 'another'))).toBe('token.used');
      expect(await world.store.expireReservations(NOW + 9_000_000)).toHaveLength(0);
    });

    it('gives its money back when nobody captured, and is captured no more', async () => {
      await released('a', 60n);
      await hold('a');
      expect(await world.store.expireReservations(NOW + 300_000)).toHaveLength(1);
      expect(await refusal(start('a'))).toBe('token.expired');
      expect(await refusal(hold('a'))).toBe('token.expired');
      expect(await refusal(hold('b'))).toBe('intake.not_found');
    });

    it('is captured by one of two at the same moment', async () => {
      await released('a');
      await hold('a');
      const both = await Promise.allSettled([start('a', 'one'), world.other.startRedemption({ jti: 'tok_a', requestSha256: 'two', amount: 5n, nowMs: NOW })]);
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });
  });

  describe('a refund', () => {
    const settled = async (captured = 60n) => {
      await released('a', 60n);
      await start('a');
      await world.store.finishRedemption(finish('a', { captured }));
    };
    const begin = (refundId: string, amount: bigint, store = world.store) => store.startRefund({ refundId, paymentId: 'pay_a', amount, nowMs: NOW });
    const end = (refundId: string, outcome: 'settled' | 'failed' = 'settled') =>
      world.store.finishRefund({ refundId, outcome, receipt: outcome === 'settled' ? `refund ${refundId}` : null, leaf: outcome === 'settled' ? leaf(`evt_${refundId}`, 'refunded', 'crr_1', { payment: sha256('pay_a') }) : null, nowMs: NOW });

    it('moves money from the payee to the carrier, once, and leaves what the rules have counted', async () => {
      await settled(50n);
      expect(await world.store.captured('pay_a')).toEqual({ amount: 50n, payeeAccount: 'shop', refunded: 0n });
      expect(await begin('r', 20n)).toMatchObject({ mine: true, refund: { state: 'started' } });
      expect(await begin('r', 20n)).toMatchObject({ mine: false });
      expect((await world.store.unfinishedRefunds()).map(({ refundId }) => refundId)).toEqual(['r']);
      for (let i = 0; i < 2; i++) await end('r');
      await end('r', 'failed');
      expect(await world.store.carrier('crr_1')).toMatchObject({ available: 70n, spent: 50n, reserved: 0n });
      expect(await world.store.refunds('pay_a')).toEqual([{ refundId: 'r', paymentId: 'pay_a', amount: 20n, state: 'settled', receipt: 'refund r' }]);
      expect(await world.store.unfinishedRefunds()).toEqual([]);
    });

    it('is never above what is left, also by two at the same moment; one that failed leaves its amount', async () => {
      await settled(50n);
      expect(await refusal(begin('r', 51n))).toBe('refund.amount');
      const both = await Promise.allSettled([begin('r', 30n), begin('s', 30n, world.other)]);
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [{ refundId } = { refundId: '' }] = await world.store.unfinishedRefunds();
      await end(refundId, 'failed');
      expect(await begin('t', 50n)).toMatchObject({ mine: true });
      expect(await refusal(begin('t', 49n))).toBe('store.conflict');
    });

    it('is of a payment that captured something', async () => {
      await released('a', 60n);
      expect(await refusal(begin('r', 1n))).toBe('refund.not_settled');
      expect(await refusal(world.store.startRefund({ refundId: 'r', paymentId: 'pay_9', amount: 1n, nowMs: NOW }))).toBe('intake.not_found');
      expect(await refusal(end('r'))).toBe('intake.not_found');
    });
  });

  it('unfinished: from the permit to the receipt, whatever step a crash came after', async () => {
    const unfinished = async () => (await world.store.unfinished()).map((payment) => payment.state);
    await world.store.decide(await decisionOf(world.store, 'deny', { payment: 'b' }));
    expect(await unfinished()).toEqual([]);
    await permit(world.store, { payment: 'a' });
    expect(await unfinished()).toEqual(['permitted']);
    await world.store.sequence(ORIGIN, 100, build);
    expect(await unfinished()).toEqual(['deposited']);
    await release(world.store, 'a');
    expect(await unfinished()).toEqual(['released']);
    await start('a');
    expect(await unfinished()).toEqual(['released']);
    await world.store.finishRedemption(finish('a'));
    expect(await unfinished()).toEqual([]);
  });
});
