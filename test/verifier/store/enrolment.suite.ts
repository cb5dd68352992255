import { beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import { type MakeDatabase, refusal, useWorld } from './bench.js';
import { enrolDevice, enrolmentOf, headAt, leaf, logRows, NOW } from './world.js';

export const enrolmentSuite = (make: MakeDatabase) => describe('enrolment', () => {
  const world = useWorld(make);

  it('a code is used once, before it expires', async () => {
    await world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW + 10, reEnrol: true });
    expect(await world.store.useEnrolCode('c', NOW + 10)).toBeNull();
    expect(await world.store.useEnrolCode('unknown', NOW)).toBeNull();
    expect(await world.store.useEnrolCode('c', NOW)).toEqual({ userId: 'usr_1', reEnrol: true });
    expect(await world.store.useEnrolCode('c', NOW)).toBeNull();
  });

  it('a code is for a user who is known, and is not made twice', async () => {
    expect(await refusal(world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_9', expiresMs: NOW, reEnrol: false }))).toBe('intake.not_found');
    await world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW, reEnrol: false });
    expect(await refusal(world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW + 99, reEnrol: true }))).toBe('store.conflict');
  });

  it('what a code says is read without using it, while it is good', async () => {
    await world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW + 10, reEnrol: true });
    expect(await world.store.enrolCode('unknown', NOW)).toBeNull();
    expect(await world.store.enrolCode('c', NOW + 10)).toBeNull();
    for (let i = 0; i < 2; i++) expect(await world.store.enrolCode('c', NOW)).toEqual({ userId: 'usr_1', reEnrol: true });
    await world.store.useEnrolCode('c', NOW);
    expect(await world.store.enrolCode('c', NOW)).toBeNull();
  });

  describe('the reservation of a code', () => {
    const CODE = 'c';
    const reserve = (ekSha256: string, nowMs = NOW) => world.store.openEnrolSession({ sessionId: `${ekSha256} ${nowMs}`, ekSha256, akName: 'ak', secretMac: 'mac', codeSha256: CODE, expiresMs: nowMs + 60, nowMs });
    const enrol = (device: string, ekSha256: string, nowMs = NOW) => refusal(enrolmentOf(world.store, device, { ekSha256, nowMs }).then((input) => world.store.enrol({ ...input, codeSha256: CODE })));
    beforeEach(() => world.store.addEnrolCode({ codeSha256: CODE, userId: 'usr_1', expiresMs: NOW + 1000, reEnrol: false }));

    it('is for one TPM while its session lasts, as often as it tries, and for another afterwards', async () => {
      expect(await reserve('one')).toBe(true);
      expect(await reserve('one', NOW + 1), 'its proof failed: it tries again').toBe(true);
      expect(await reserve('other', NOW + 2)).toBe(false);
      expect(await reserve('other', NOW + 61)).toBe(true);
      expect(await reserve('one', NOW + 62)).toBe(false);
    });

    it('is none of a code that is unknown, used or expired, and opens no session', async () => {
      expect(await reserve('one', NOW + 1000)).toBe(false);
      await world.store.useEnrolCode(CODE, NOW);
      expect(await reserve('one')).toBe(false);
      expect(await world.store.openEnrolSession({ sessionId: 's', ekSha256: 'one', akName: 'ak', secretMac: 'mac', codeSha256: 'unknown', expiresMs: NOW + 1, nowMs: NOW })).toBe(false);
      expect(world.db.sql(`SELECT session_id FROM enrol_sessions WHERE ek_sha256 = 'one'`)).toEqual([]);
    });

    it('ends with the device that is recorded: then no TPM uses the code, this one neither', async () => {
      await reserve('one');
      expect(await enrol('x', 'one')).toBeNull();
      expect(await reserve('one', NOW + 61)).toBe(false);
      expect(await reserve('other', NOW + 61)).toBe(false);
      expect(await enrol('y', 'other')).toBe('enrol.code');
    });

    it('is asked for when the device is recorded: one that another TPM has meanwhile, and one that is over, is refused', async () => {
      await reserve('one');
      await reserve('other', NOW + 61);
      expect(await enrol('x', 'one', NOW + 62)).toBe('enrol.code');
      expect(await enrol('y', 'other', NOW + 1000)).toBe('enrol.code');
      expect(await enrol('y', 'other', NOW + 62)).toBeNull();
    });

    it('is still there when recording the device failed', async () => {
      await reserve('one');
      const input = await enrolmentOf(world.store, '1', { ekSha256: 'one' });
      expect(await refusal(world.store.enrol({ ...input, codeSha256: CODE }))).toBe('enrol.device_conflict');
      expect(await world.store.enrolCode(CODE, NOW)).not.toBeNull();
    });
  });

  it('a session is used once, before it expires', async () => {
    const session = { ekSha256: 'ek', akName: 'ak', secretMac: 'mac', codeSha256: 'c' };
    await world.store.addEnrolCode({ codeSha256: 'c', userId: 'usr_1', expiresMs: NOW + 10, reEnrol: false });
    expect(await world.store.openEnrolSession({ sessionId: 's', ...session, expiresMs: NOW + 10, nowMs: NOW })).toBe(true);
    expect(await world.store.useEnrolSession('s', NOW + 10)).toBeNull();
    expect(await world.store.useEnrolSession('s', NOW)).toEqual(session);
    expect(await world.store.useEnrolSession('s', NOW)).toBeNull();
  });

  it('keeps the device, its key, its first clock and its first history, and queues its leaf', async () => {
    expect(await world.store.deviceById('dev_1')).toEqual({ deviceId: 'dev_1', userId: 'usr_1', state: 'enrolled', simulated: true, akName: 'ak_1', record: 'record 1' });
    expect(await world.store.deviceByAk('ak_1')).toEqual(await world.store.deviceById('dev_1'));
    expect(await world.store.deviceOfEk(sha256('ek 1'))).toEqual({ deviceId: 'dev_1', akName: 'ak_1' });
    expect(await world.store.clock('ak_1')).toEqual({ resetCount: 5, restartCount: 0, clock: 1000n, seq: 0, ctr: 1n, attestSha256: sha256('a') });
    expect(await world.store.latestHead('dev_1')).toEqual(headAt('1', 1));
    expect(world.db.sql(`SELECT chain FROM log_queue WHERE event_id = 'evt_enrol_1'`)).toEqual([{ chain: 'dev_1' }]);
  });

  it('knows nothing of a device, key or TPM that was never enrolled', async () => {
    expect(await world.store.deviceById('dev_9')).toBeNull();
    expect(await world.store.deviceByAk('ak_9')).toBeNull();
    expect(await world.store.deviceOfEk('ek')).toBeNull();
    expect(await world.store.clock('ak_9')).toBeNull();
    expect(await world.store.latestHead('dev_9')).toBeNull();
    expect(await world.store.logHead('dev_1', 'epoch')).toBeNull();
  });

  it.each([
    ['a second device for one TPM', { deviceId: 'dev_2', akName: 'ak_2' }],
    ['a second device for one TPM, with consent to a new key', { deviceId: 'dev_2', akName: 'ak_2', reEnrol: true }],
    ['a new key without consent', { akName: 'ak_2' }],
    ['a new key with the consent of another user', { akName: 'ak_2', reEnrol: true, userId: 'usr_2' }],
    ['a key that is enrolled', { reEnrol: true }],
    ['a known key of a cloud for another TPM', { deviceId: 'dev_2', ekSha256: sha256('ek 2'), akName: 'ak_2', providerSha256: sha256('cloud') }],
    ['a known TPM with the key of a cloud that is another device\'s', { akName: 'ak_2', reEnrol: true, providerSha256: sha256('cloud') }],
    ['the key of another device', { deviceId: 'dev_2', ekSha256: sha256('ek 2') }],
    ['CVE-2025-13609 (Keylime): another TPM under the id of a known device', { ekSha256: sha256('ek 2'), akName: 'ak_2' }],
    ['a new key with another history of the known epoch', { akName: 'ak_2', reEnrol: true, entries: logRows(1, 'other ') }],
  ])('refuses %s, and changes nothing', async (_, over) => {
    await world.store.addUser({ userId: 'usr_2', kind: 'person', nowMs: NOW });
    await enrolDevice(world.store, 'cloud', { providerSha256: sha256('cloud') });
    expect(await refusal(enrolDevice(world.store, '1', { ...over, leaf: leaf('evt_x', 'enrolled', 'dev_1') }))).toBe('enrol.device_conflict');
    expect((await world.store.deviceById('dev_1'))?.akName).toBe('ak_1');
    expect(world.db.sql(`SELECT event_id FROM log_queue WHERE event_id = 'evt_x'`)).toEqual([]);
    expect(world.db.sql('SELECT count(*) AS n FROM device_keys')).toEqual([{ n: 2n }]);
  });

  it('a TPM that enrols again with the key that it has gets a new record, and its clock goes on from where it stood', async () => {
    const before = (await world.store.clock('ak_1'))!;
    const again = { reEnrol: true, record: 'record 2', before, clock: { ...before, clock: before.clock + 1n, ctr: 2n }, leaf: leaf('evt_re', 'enrolled', 'dev_1') };
    await enrolDevice(world.store, '1', { ...again, simulated: false, providerSha256: sha256('cloud') });
    expect(await world.store.deviceById('dev_1')).toMatchObject({ akName: 'ak_1', record: 'record 2', state: 'enrolled', simulated: false });
    expect(await world.store.clock('ak_1')).toEqual(again.clock);
    expect(await refusal(enrolDevice(world.store, '1', again)), 'judged against a clock that has moved since').toBe('enrol.device_conflict');
    expect(world.db.sql('SELECT provider_sha256 FROM devices')).toEqual([{ provider_sha256: sha256('cloud') }]);
  });

  it('a re-enrolled TPM keeps its device; the old key speaks for a revoked one', async () => {
    await enrolDevice(world.store, '1', { akName: 'ak_2', record: 'record 2', reEnrol: true, head: headAt('1', 1, { epoch: sha256('cleared'), resetCount: 0 }), leaf: leaf('evt_re', 'enrolled', 'dev_1') });
    expect(await world.store.deviceById('dev_1')).toMatchObject({ akName: 'ak_2', record: 'record 2', state: 'enrolled' });
    expect(await world.store.deviceByAk('ak_1')).toMatchObject({ deviceId: 'dev_1', record: 'record 1', state: 'revoked' });
    expect(await world.store.latestHead('dev_1'), 'a cleared TPM counts its boots anew').toMatchObject({ resetCount: 0 });
  });

  it('a suspended device stays suspended through a re-enrolment; a revoked one gives its TPM free', async () => {
    await world.store.setState({ subject: 'dev_1', kind: 'device', state: 'suspended', leaf: leaf('evt_s', 'revoked', 'dev_1'), nowMs: NOW });
    await enrolDevice(world.store, '1', { akName: 'ak_2', reEnrol: true, leaf: leaf('evt_re', 'enrolled', 'dev_1') });
    expect((await world.store.deviceById('dev_1'))?.state).toBe('suspended');
    await world.store.setState({ subject: 'dev_1', kind: 'device', state: 'revoked', leaf: leaf('evt_r', 'revoked', 'dev_1'), nowMs: NOW });
    expect(await world.store.deviceOfEk(sha256('ek 1'))).toBeNull();
    await enrolDevice(world.store, 'again', { ekSha256: sha256('ek 1') });
    expect(await world.store.deviceOfEk(sha256('ek 1'))).toEqual({ deviceId: 'dev_again', akName: 'ak_again' });
  });

  it('the agents of a device are those it said last', async () => {
    const [a, b] = ['a', 'b'].map((agentId) => ({ agentId, manifestSha256: sha256(agentId), jwk: '{}' }));
    await world.store.setDeviceAgents('dev_1', [b!, a!]);
    expect(await world.store.deviceAgents('dev_1')).toEqual([a, b]);
    await world.store.setDeviceAgents('dev_1', [b!]);
    expect(await world.store.deviceAgents('dev_1')).toEqual([b]);
    expect(await refusal(world.store.setDeviceAgents('dev_9', [a!]))).toBe('intake.not_found');
  });
});
