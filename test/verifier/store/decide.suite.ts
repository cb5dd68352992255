import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import type { DecideInput } from '../../../verifier/store/verbs.js';
import { type MakeDatabase, refusal, useWorld } from './bench.js';
import { adjudicate, build, carrierInput, decisionOf, enrolDevice, headAt, leaf, logRows, mandateRow, NOW, ORIGIN, permit } from './world.js';

const RETRY = { ok: false, retry: true };
const no = (code: string) => ({ ok: false, retry: false, code });

export const decideSuite = (make: MakeDatabase) => describe('decide', () => {
  const world = useWorld(make);
  /** Everything a decision may write, to see that a refused one wrote nothing. */
  const everything = () => world.db.sql(`SELECT (SELECT count(*) FROM used_nonces) a, (SELECT count(*) FROM payments) b, (SELECT count(*) FROM attempts) c, (SELECT count(*) FROM reservations) d,
    (SELECT count(*) FROM transfers) e, (SELECT count(*) FROM log_queue) f, (SELECT count(*) FROM mandate_uses) g, (SELECT sum(seq) FROM device_clock) h, (SELECT sum(state_seq) FROM carriers) i,
    (SELECT sum(version) FROM payments) j, (SELECT count(*) FROM measurements) k, (SELECT sum(next_n) FROM measurement_heads) l, (SELECT count(*) FROM confirmations WHERE consumed_attempt IS NOT NULL) m`)[0];
  /** The decision is refused with this answer and leaves no trace. */
  const refused = async (input: DecideInput, answer: unknown) => {
    const before = everything();
    expect(await world.store.decide(input)).toEqual(answer);
    expect(everything()).toEqual(before);
  };

  it('writes all of a permit: nonce, clock, attempt, money, slot, leaf and the state of the payment', async () => {
    expect(await permit(world.store, { payment: 'a', amount: 60n })).toEqual({ ok: true });
    expect(await world.store.payment('pay_a')).toMatchObject({ state: 'permitted', code: null, version: 0, createdMs: NOW });
    expect(await world.store.carrier('crr_1')).toMatchObject({ available: 40n, reserved: 60n, spent: 0n });
    expect(await world.store.reservation('pay_a')).toMatchObject({ reservationId: 'rsv_a', amount: 60n, captured: 0n, released: 0n });
    expect((await world.store.mandate('mnd_1'))?.uses).toBe(1);
    expect((await world.store.clock('ak_1'))?.seq).toBe(1);
    expect(await world.store.attempts('pay_a')).toMatchObject([{ n: 1, nonce: 'nonce a 1', decisionKind: 'permit', decidedMs: NOW }]);
    expect(world.db.sql(`SELECT event_id FROM log_queue WHERE event_id = 'evt_a_1'`)).toHaveLength(1);
  });

  it('writes a denial without touching money, and a confirm request that a later attempt can permit', async () => {
    expect(await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'a' }))).toEqual({ ok: true });
    expect(await world.store.payment('pay_a')).toMatchObject({ state: 'confirm_required', code: 'decision.confirm_needed' });
    expect(await permit(world.store, { payment: 'a', n: 2 })).toEqual({ ok: true });
    expect(await world.store.payment('pay_a')).toMatchObject({ state: 'permitted', code: null, version: 1 });
    expect(await world.store.decide(await decisionOf(world.store, 'deny', { payment: 'b' }))).toEqual({ ok: true });
    expect(await world.store.carrier('crr_1')).toMatchObject({ available: 90n, reserved: 10n });
  });

  it('finds a payment by its id, its idempotency key and its user, and awaits no other state', async () => {
    await permit(world.store, { payment: 'a' });
    expect((await world.store.paymentByKey('dev_1', 'agent', 'key a'))?.paymentId).toBe('pay_a');
    expect(await world.store.paymentByKey('dev_1', 'agent', 'key b')).toBeNull();
    await world.store.decide(await decisionOf(world.store, 'deny', { payment: 'b', mandateId: null, nowMs: NOW + 1 }));
    expect((await world.store.paymentsOf({ userId: 'usr_1', limit: 10 })).map((row) => row.paymentId)).toEqual(['pay_b', 'pay_a']);
    expect(await world.store.paymentsOf({ userId: 'usr_2', limit: 10 })).toEqual([]);
    expect((await world.store.paymentsOf({ state: 'denied', limit: 10 })).map((row) => row.paymentId)).toEqual(['pay_b']);
  });

  describe('nonce', () => {
    it('refuses a nonce that was used, for this payment and for any other', async () => {
      const input = await decisionOf(world.store, 'deny', { payment: 'a', nonce: 'n' });
      expect(await world.store.decide(input)).toEqual({ ok: true });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', n: 2, nonce: 'n' }), no('nonce.used'));
      await refused(await decisionOf(world.store, 'permit', { payment: 'b', nonce: 'n' }), no('nonce.used'));
      expect(await world.store.consumeNonce(input.nonce, NOW)).toBe(false);
    });

    it('refuses a nonce that the platform evidence used', async () => {
      expect(await world.store.consumeNonce({ value: 'n', deviceId: 'dev_1', purpose: 'platform', expiresMs: NOW + 1 }, NOW)).toBe(true);
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', nonce: 'n' }), no('nonce.used'));
    });

    it('refuses an expired nonce, which may have been forgotten', async () => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      await refused({ ...input, nonce: { ...input.nonce, expiresMs: NOW } }, no('nonce.expired'));
    });

    it('leaves a denial of evidence that is not authentic, without moving the device', async () => {
      const before = await world.store.clock('ak_1');
      const input = await decisionOf(world.store, 'deny', { payment: 'a' });
      expect(await world.store.decide({ ...input, device: null })).toEqual({ ok: true });
      expect(await world.store.clock('ak_1')).toEqual(before);
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', n: 2, nonce: input.nonce.value }), no('nonce.used'));
    });

    it('a used nonce can still be recorded in the chain', async () => {
      await permit(world.store, { payment: 'a' });
      await world.store.queueLeaf(leaf('evt_replay', 'denied', 'crr_1', { code: 'nonce.used' }), NOW);
      await world.store.sequence(ORIGIN, 10, build);
      expect(await world.store.leafByEvent('evt_replay')).not.toBeNull();
    });
  });

  describe('device', () => {
    it('a clone beside the original is told to read again: its clock is not where it says', async () => {
      const clone = await decisionOf(world.store, 'permit', { payment: 'clone' });
      await permit(world.store, { payment: 'a' });
      await refused({ ...clone, reserve: (await decisionOf(world.store, 'permit', { payment: 'clone' })).reserve }, RETRY);
    });

    it('a sequence number never falls, even when the caller says so', async () => {
      await permit(world.store, { payment: 'a' });
      const input = await decisionOf(world.store, 'permit', { payment: 'b' });
      await refused({ ...input, device: { ...input.device!, after: { ...input.device!.after, seq: 0 } } }, RETRY);
    });

    it('stores no second history of an epoch, no gap, and no second epoch of one boot', async () => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      const showing = (head: ReturnType<typeof headAt>, entries: ReturnType<typeof logRows>) => ({ ...input, device: { ...input.device!, head, entries } });
      await refused(showing(headAt('1', 2), logRows(2, 'other ')), no('log.fork'));
      await refused(showing(headAt('1', 1, { register: 'another' }), []), no('log.fork'));
      await refused(showing(headAt('1', 3), logRows(3).slice(2)), no('log.gap'));
      await refused(showing(headAt('1', 3), [logRows(3)[1]!, logRows(4)[3]!]), no('log.gap'));
      await refused(showing(headAt('1', 5), logRows(3)), no('log.gap'));
      await refused(showing(headAt('1', 1, { epoch: sha256('second') }), logRows(1, 'second ')), no('log.fork'));
      expect(await world.store.decide(showing(headAt('1', 3), logRows(3)))).toEqual({ ok: true });
      expect(await world.store.logEntries('dev_1', headAt('1', 0).epoch, 1, 3)).toEqual(logRows(3).slice(1));
    });

    it('a log that is known further than the evidence says is read again', async () => {
      const late = await decisionOf(world.store, 'permit', { payment: 'late' });
      const first = await decisionOf(world.store, 'permit', { payment: 'a' });
      await world.store.decide({ ...first, device: { ...first.device!, head: headAt('1', 4), entries: logRows(4) } });
      const now = await decisionOf(world.store, 'permit', { payment: 'late' });
      await refused({ ...now, device: { ...now.device!, head: late.device!.head } }, RETRY);
    });

    it('a new boot begins a new epoch, and the old one is closed for ever', async () => {
      const boot = async (head: ReturnType<typeof headAt>, payment: string, fork: string) => {
        const input = await decisionOf(world.store, 'permit', { payment });
        return { ...input, device: { ...input.device!, head, entries: logRows(head.nextN, fork) } };
      };
      const second = headAt('1', 2, { epoch: sha256('boot 6'), resetCount: 6 });
      expect(await world.store.decide(await boot(second, 'a', 'second '))).toEqual({ ok: true });
      expect(await world.store.latestHead('dev_1')).toEqual(second);
      await refused(await boot(headAt('1', 2, { resetCount: 6 }), 'b', ''), no('log.fork'));
    });

    it('an epoch that survives a resume goes on in the next boot', async () => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      const resumed = headAt('1', 1, { restartCount: 1 });
      expect(await world.store.decide({ ...input, device: { ...input.device!, head: resumed } })).toEqual({ ok: true });
      expect(await world.store.latestHead('dev_1')).toEqual(resumed);
    });

    it.each(['suspended', 'revoked'])('a device that was %s since it was read permits nothing', async (state) => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      expect(await world.other.setState({ subject: 'dev_1', kind: 'device', state, leaf: leaf('evt_r', 'revoked', 'dev_1'), nowMs: NOW })).toBe(true);
      await refused(input, RETRY);
    });

    it('a key that was retired meanwhile moves nothing, not even for a denial', async () => {
      const input = await decisionOf(world.store, 'deny', { payment: 'a' });
      await enrolDevice(world.other, '1', { akName: 'ak_new', reEnrol: true, head: headAt('new', 1), leaf: leaf('evt_re', 'enrolled', 'dev_1') });
      await refused(input, RETRY);
    });
  });

  describe('payment', () => {
    it('is permitted once, and a later attempt cannot take its state back', async () => {
      await permit(world.store, { payment: 'a' });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', n: 2 }), no('decision.already_permitted'));
      await refused(await decisionOf(world.store, 'deny', { payment: 'a', n: 2 }), no('decision.already_permitted'));
    });

    it('has one row for each attempt', async () => {
      await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'a' }));
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', n: 1, nonce: 'other' }), no('store.conflict'));
    });

    it.each<[string, Partial<DecideInput['payment']>]>([
      ['another request under the same idempotency key', { paymentId: 'pay_b', requestSha256: sha256('other'), paymentSha256: sha256('other') }],
      ['the same intent under another payment id', { paymentId: 'pay_b', idempotencyKey: 'key b' }],
      ['another request under the same payment id', { requestSha256: sha256('other') }],
      ['another intent under the same payment id', { paymentSha256: sha256('other') }],
      ['another agent\'s payment id', { agentId: 'other' }],
    ])('refuses %s', async (_, over) => {
      await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'a' }));
      const input = await decisionOf(world.store, 'permit', { payment: 'a', n: 2 });
      await refused({ ...input, payment: { ...input.payment, ...over } }, no('intake.idempotency_conflict'));
    });

    it('a permit without evidence or money, and money without a permit, are bugs', async () => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      for (const broken of [{ ...input, device: null }, { ...input, reserve: null }, { ...input, attempt: { ...input.attempt, decisionKind: 'deny' as const } }]) {
        expect(await refusal(world.store.decide(broken))).toBeInstanceOf(TypeError);
      }
    });
  });

  describe('carrier and mandate', () => {
    it.each<[string, () => Promise<unknown>]>([
      ['money was added', () => world.other.fundCarrier({ eventId: 'more', carrierId: 'crr_1', amount: 1n, nowMs: NOW })],
      ['the rules changed', () => world.other.putCarrier(carrierInput('crr_1', { rev: 2 }))],
      ['another payment was permitted', async () => { await enrolDevice(world.other, '2'); await permit(world.other, { payment: 'other', device: '2' }); }],
      ['the user froze the carrier', () => world.other.setState({ subject: 'crr_1', kind: 'carrier', state: 'frozen', leaf: leaf('evt_f', 'revoked'), nowMs: NOW })],
      ['the agent version was revoked', async () => { await world.other.addManifest({ manifestSha256: sha256('manifest'), agentId: 'agent', version: '1', token: 't' }); await world.other.revokeManifest({ manifestSha256: sha256('manifest'), leaf: leaf('evt_f', 'revoked'), nowMs: NOW }); }],
      ['the user revoked the mandate', () => world.other.setState({ subject: 'mnd_1', kind: 'mandate', state: 'revoked', leaf: leaf('evt_f', 'revoked'), nowMs: NOW })],
    ])('adjudicates again when %s after the carrier was read', async (_, happen) => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      await happen();
      await refused(input, RETRY);
    });

    it('permits nothing under another revision of the rules than the one that was adjudicated', async () => {
      const input = await decisionOf(world.store, 'permit', { payment: 'a' });
      await refused({ ...input, reserve: { ...input.reserve!, rev: 2 } }, RETRY);
    });

    it.each(['frozen', 'revoked', 'expired'])('permits nothing on a carrier that is %s, even on its newest numbers', async (state) => {
      await world.store.setState({ subject: 'crr_1', kind: 'carrier', state, leaf: leaf('evt_f', 'revoked'), nowMs: NOW });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a' }), RETRY);
    });

    it.each(['suspended', 'revoked', 'expired'])('permits nothing on a mandate that is %s, even on its newest numbers', async (state) => {
      await world.store.setState({ subject: 'mnd_1', kind: 'mandate', state, leaf: leaf('evt_f', 'revoked'), nowMs: NOW });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a' }), RETRY);
    });

    it('permits nothing on a mandate past its time or of another carrier', async () => {
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', nowMs: NOW + 1_000_000 }), RETRY);
      await world.store.putCarrier(carrierInput('crr_2'));
      await world.store.fundCarrier({ eventId: 'two', carrierId: 'crr_2', amount: 50n, nowMs: NOW });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', carrierId: 'crr_2' }), RETRY);
    });

    it('reserves neither more than is in the carrier nor more than its total', async () => {
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', amount: 101n }), RETRY);
      await world.store.fundCarrier({ eventId: 'more', carrierId: 'crr_1', amount: 2000n, nowMs: NOW });
      await refused(await decisionOf(world.store, 'permit', { payment: 'a', amount: 1001n }), RETRY);
      expect(await permit(world.store, { payment: 'a', amount: 1000n })).toEqual({ ok: true });
    });

    it('a mandate is used as often as it says, and a slot that was freed is used again', async () => {
      await world.store.addMandate(mandateRow('mnd_2', '1', { maxPayments: 2 }));
      for (const payment of ['a', 'b']) expect(await permit(world.store, { payment, mandateId: 'mnd_2' })).toEqual({ ok: true });
      await refused(await decisionOf(world.store, 'permit', { payment: 'c', mandateId: 'mnd_2' }), RETRY);
      expect(await world.store.expireReservations(NOW + 400_000)).toHaveLength(2);
      for (const payment of ['c', 'd']) expect(await permit(world.store, { payment, mandateId: 'mnd_2' })).toEqual({ ok: true });
      expect(world.db.sql(`SELECT slot FROM mandate_uses WHERE state = 'held' ORDER BY slot`)).toEqual([{ slot: 1n }, { slot: 2n }]);
    });

    it('a payment without a mandate reserves without a slot', async () => {
      expect(await permit(world.store, { payment: 'a', mandateId: null })).toEqual({ ok: true });
      expect(world.db.sql('SELECT * FROM mandate_uses')).toEqual([]);
    });
  });

  describe('confirmation', () => {
    const confirmation = { confirmationId: 'cnf_1', paymentId: 'pay_a', keyId: 'k', token: 'consent', leaf: leaf('evt_c', 'confirmed'), nowMs: NOW };

    it('is taken while it is awaited, once, and consumed by one attempt', async () => {
      await world.store.decide(await decisionOf(world.store, 'confirm', { payment: 'a' }));
      await world.store.addConfirmation(confirmation);
      await world.store.addConfirmation(confirmation);
      expect(await refusal(world.store.addConfirmation({ ...confirmation, confirmationId: 'cnf_2' }))).toBe('confirm.not_awaited');
      expect(world.db.sql(`SELECT event_id FROM log_queue WHERE event_id = 'evt_c'`)).toHaveLength(1);
      const input = await decisionOf(world.store, 'permit', { payment: 'a', n: 2 });
      expect(await world.store.decide({ ...input, confirmationId: 'cnf_1' })).toEqual({ ok: true });
      expect((await world.store.confirmation('pay_a'))?.consumedAttempt).toBe(2);
    });

    it('permits no second attempt and no other payment', async () => {
      for (const payment of ['a', 'b']) await world.store.decide(await decisionOf(world.store, 'confirm', { payment }));
      await world.store.addConfirmation(confirmation);
      await refused({ ...(await decisionOf(world.store, 'permit', { payment: 'b', n: 2 })), confirmationId: 'cnf_1' }, no('confirm.not_awaited'));
      await world.store.decide({ ...(await decisionOf(world.store, 'deny', { payment: 'a', n: 2 })), confirmationId: 'cnf_1' });
      await refused({ ...(await decisionOf(world.store, 'permit', { payment: 'a', n: 3 })), confirmationId: 'cnf_1' }, no('confirm.not_awaited'));
    });

    it('is not taken for a payment that was decided otherwise or is not there', async () => {
      expect(await refusal(world.store.addConfirmation(confirmation))).toBe('confirm.not_awaited');
      await permit(world.store, { payment: 'a' });
      expect(await refusal(world.store.addConfirmation(confirmation))).toBe('confirm.not_awaited');
      expect(await world.store.confirmation('pay_a')).toBeNull();
    });
  });

  it('16 reservations of 60 race for a carrier of 100: one is permitted, 15 are denied', async () => {
    for (let i = 0; i < 16; i++) await enrolDevice(world.store, `r${i}`);
    const stores = [world.store, world.other];
    const kinds = await Promise.all(Array.from({ length: 16 }, (_, i) => adjudicate(stores[i % 2]!, { payment: `r${i}`, amount: 60n, device: `r${i}` })));
    expect(kinds.filter((kind) => kind === 'permit')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'deny')).toHaveLength(15);
  });
});
