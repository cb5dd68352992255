import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.js';
import type { LogPlace, Store } from '../../../verifier/store/verbs.js';
import { type MakeDatabase, useWorld } from './bench.js';
import { enrolDevice, headAt, logRows, NOW } from './world.js';

type Platform = Parameters<Store['acceptPlatform']>[0];

export const freshnessSuite = (make: MakeDatabase) => describe('freshness', () => {
  const world = useWorld(make);
  const platform = async (nonce: string, over: Partial<Platform['device']> = {}): Promise<Platform> => {
    const before = (await world.store.clock('ak_1'))!;
    return {
      nonce: { value: nonce, deviceId: 'dev_1', purpose: 'platform', expiresMs: NOW + 1000 }, deviceId: 'dev_1', platformSha256: sha256(nonce), evidence: 'evidence', appraisal: 'appraisal', ima: null, nowMs: NOW,
      device: { akName: 'ak_1', before, after: { ...before, clock: before.clock + 5n }, head: headAt('1', 2), entries: logRows(2), ...over },
    };
  };

  it('a nonce is used once, whatever for', async () => {
    const nonce = { value: 'n', deviceId: 'dev_1', purpose: 'payment' as const, expiresMs: NOW + 1 };
    expect(await world.store.consumeNonce(nonce, NOW)).toBe(true);
    expect(await world.store.consumeNonce(nonce, NOW)).toBe(false);
    expect(await world.store.consumeNonce({ ...nonce, deviceId: 'dev_2', purpose: 'counter' }, NOW)).toBe(false);
    expect(await world.store.consumeNonce({ ...nonce, value: 'late' }, NOW + 1)).toBe(false);
  });

  it('keeps a platform part and moves clock and log', async () => {
    expect(await world.store.acceptPlatform(await platform('a'))).toBe(true);
    expect(await world.store.platform(sha256('a'))).toEqual({ deviceId: 'dev_1', evidence: 'evidence', appraisal: 'appraisal', seenMs: NOW });
    expect((await world.store.clock('ak_1'))?.clock).toBe(1005n);
    expect(await world.store.logHead('dev_1', headAt('1', 2).epoch)).toEqual(headAt('1', 2));
    expect(await world.store.logEntries('dev_1', headAt('1', 2).epoch, 0, 10)).toEqual(logRows(2));
    expect(await world.store.platform('unknown')).toBeNull();
  });

  it('keeps where the IMA list of a key stands, the newest alone, and only with the platform part that showed it', async () => {
    expect(await world.store.imaList('ak_1')).toBeNull();
    await world.store.acceptPlatform({ ...(await platform('a')), ima: { resetCount: 5, standing: 'first' } });
    await world.store.acceptPlatform({ ...(await platform('b')), ima: null });
    expect(await world.store.imaList('ak_1')).toEqual({ resetCount: 5, standing: 'first' });
    await world.store.acceptPlatform({ ...(await platform('c')), ima: { resetCount: 6, standing: 'second' } });
    expect(await world.store.acceptPlatform({ ...(await platform('a')), ima: { resetCount: 7, standing: 'under a used nonce' } })).toBe(false);
    expect(await world.store.imaList('ak_1')).toEqual({ resetCount: 6, standing: 'second' });
    expect(await world.store.imaList('ak_2')).toBeNull();
  });

  it('keeps the TPM\'s 64-bit numbers exactly, beyond 2^53', async () => {
    const input = await platform('a');
    const after = { ...input.device.after, clock: 2n ** 60n + 1n, ctr: 2n ** 62n + 1n };
    await world.store.acceptPlatform({ ...input, device: { ...input.device, after } });
    expect(await world.store.clock('ak_1')).toEqual(after);
  });

  it.each<[string, (input: Platform) => Platform]>([
    ['an expired nonce', (input) => ({ ...input, nonce: { ...input.nonce, expiresMs: NOW } })],
    ['a clock that is not where it was read', (input) => ({ ...input, device: { ...input.device, before: { ...input.device.before!, clock: 999n } } })],
    ['a sequence number that is not where it was read, though the clock stood still', (input) => ({ ...input, device: { ...input.device, before: { ...input.device.before!, seq: 4 }, after: { ...input.device.after, seq: 5 } } })],
    ['a boot that is not the one that was read', (input) => ({ ...input, device: { ...input.device, before: { ...input.device.before!, resetCount: 4 } } })],
    ['a first clock for a key that has one', (input) => ({ ...input, device: { ...input.device, before: null } })],
    ['another history', (input) => ({ ...input, device: { ...input.device, entries: logRows(2, 'other ') } })],
    ['another device under the same key', (input) => ({ ...input, deviceId: 'dev_2', device: { ...input.device, head: headAt('2', 2, { resetCount: 6 }) } })],
    ['a key that was never enrolled', (input) => ({ ...input, device: { ...input.device, akName: 'ak_9', before: null } })],
  ])('refuses %s, and the nonce stays unused', async (_, broken) => {
    await enrolDevice(world.store, '2');
    const before = await world.store.clock('ak_1');
    expect(await world.store.acceptPlatform(broken(await platform('a')))).toBe(false);
    expect(await world.store.platform(sha256('a'))).toBeNull();
    expect(await world.store.clock('ak_1')).toEqual(before);
    expect(world.db.sql('SELECT * FROM used_nonces')).toEqual([]);
  });

  it('a nonce that was used for one platform part serves no second one', async () => {
    expect(await world.store.acceptPlatform(await platform('a'))).toBe(true);
    const again = await platform('a');
    expect(await world.store.acceptPlatform({ ...again, platformSha256: sha256('b') })).toBe(false);
  });

  it('gives the log of a device backwards over its boots and keys, page by page, and nothing of another device', async () => {
    await enrolDevice(world.store, '2');
    await world.store.acceptPlatform(await platform('a'));
    const later = await platform('b', { head: headAt('1 later', 3, { resetCount: 6 }), entries: logRows(3) });
    expect(await world.store.acceptPlatform({ ...later, device: { ...later.device, after: { ...later.device.after, resetCount: 6 } } })).toBe(true);
    await enrolDevice(world.store, '1', { akName: 'ak_1 next', reEnrol: true, head: headAt('1 next', 1, { resetCount: 1 }) });
    const places = async (before: LogPlace | null, limit: number): Promise<string[]> => (await world.store.deviceLog({ deviceId: 'dev_1', before, limit })).map(({ epoch, n, resetCount }) => `${names.get(epoch)} ${n} reset ${resetCount}`);
    const names = new Map(['1', '1 later', '1 next', '2'].map((name) => [headAt(name, 1).epoch, name]));
    const all = ['1 next 0 reset 1', '1 later 2 reset 6', '1 later 1 reset 6', '1 later 0 reset 6', '1 1 reset 5', '1 0 reset 5'];
    expect(await places(null, 100)).toEqual(all);
    const paged: string[] = [];
    for (let before: LogPlace | null = null, page; (page = await world.store.deviceLog({ deviceId: 'dev_1', before, limit: 2 })).length > 0; before = page.at(-1)!) paged.push(...page.map(({ epoch, n, resetCount }) => `${names.get(epoch)} ${n} reset ${resetCount}`));
    expect(paged).toEqual(all);
    expect(await places({ epoch: headAt('2', 1).epoch, n: 1 }, 100)).toEqual([]);
  });
});
