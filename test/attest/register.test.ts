import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/bytes.js';
import type { AttestKind } from '../../src/names.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import { type LogEntry, type PlatformEvidence, platformQualifyingData } from '../../src/objects/evidence.js';
import { extendHead } from '../../attest/head.js';
import { logEntry } from '../../attest/log.js';
import type { DeviceClock, KnownDevice, PlatformResult } from '../../attest/types.js';
import { platformBench, recordWith } from '../support/appraisal.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';

const nonce = sha256('platform nonce');
let device: TestDevice;
let good: PlatformEvidence;
let bench: ReturnType<typeof platformBench>;
const appraise: typeof bench.appraise = (overrides) => bench.appraise(overrides);
const refusal: typeof bench.refusal = (overrides) => bench.refusal(overrides);
const record = (changes: Partial<DeviceRecord>): KnownDevice['record'] => recordWith(device, changes);
const clockOf = (result: PlatformResult): DeviceClock => result.next!.clock;
const quoted = (kind: AttestKind): Buffer => platformQualifyingData(kind, good.binding);

beforeAll(async () => {
  device = await TestDevice.start();
  await device.measure('sidecar', { version: '0.1.0' });
  await device.measure('agent_start', { agent_id: 'example.shopper' });
  good = await device.platform({ nonce });
  bench = platformBench(device, good);
});
afterAll(() => device.stop());

describe('the register', () => {
  const withRegister = async (range?: { size: number; offset: number }): Promise<PlatformEvidence> => ({ ...good, register: await device.certify('register', quoted('register'), range) });

  it('is the enrolled index: the counter in its place is refused', async () => {
    expect(refusal({ evidence: { ...good, register: await device.certify('counter', quoted('register')) } })).toBe('register.name');
  });

  it('is certified whole: a genuine attestation of a part is refused', async () => {
    expect(refusal({ evidence: await withRegister({ size: 16, offset: 4 }) })).toBe('register.range');
    expect(refusal({ evidence: await withRegister({ size: 31, offset: 0 }) })).toBe('register.range');
    expect(refusal({ evidence: await withRegister({ size: 28, offset: 4 }) })).toBe('register.range');
  });

  it('is certified by its contents: the digest form (801C) is refused, and so is a quote', async () => {
    expect(refusal({ evidence: await withRegister({ size: 0, offset: 0 }) })).toBe('register.type');
    expect(refusal({ evidence: { ...good, register: await device.quote(quoted('register')) } })).toBe('register.type');
  });

  it('is what the log gives: a record that was left out or added shows', () => {
    const without = [device.log[0]!, logEntry(1, '01d10300', { kind: 'agent_start', data: {} }), device.log[2]!];
    expect(refusal({ log: { ...device.delta(), entries: without } })).toBe('register.value');
  });
});

describe('the counter', () => {
  it('is the enrolled one, whole, and above the last one known', async () => {
    const { ctr } = appraise().appraisal;
    expect(refusal({ evidence: { ...good, counter: await device.certify('register', quoted('counter')) } })).toBe('ctr.name');
    expect(refusal({ evidence: { ...good, counter: await device.certify('counter', quoted('counter'), { size: 4, offset: 4 }) } })).toBe('register.range');
    const known = device.known({ clock: { ...clockOf(appraise()), clock: 0n, ctr } });
    expect(refusal({ device: known })).toBe('ctr.not_increased');
    expect(refusal({ device: { ...known, clock: { ...known.clock!, ctr: ctr! - 1n } } })).toBe('accepted');
  });

  it('is demanded at connection: without it the platform is a warning, never a pass', () => {
    const { appraisal } = appraise({ evidence: { ...good, counter: null } });
    expect(appraisal).toMatchObject({ authentic: true, status: 'warning', findings: [{ code: 'ctr.missing' }] });
    expect(appraise({ evidence: { ...good, counter: null }, connection: false }).appraisal).toMatchObject({ status: 'affirming', findings: [] });
  });
});

describe('the log of a platform', () => {
  it('is of the enrolled register: records of another index are refused', () => {
    const [first, ...rest] = device.log as [LogEntry, ...LogEntry[]];
    expect(refusal({ log: { ...device.delta(), entries: [first, ...rest.map((entry) => ({ ...entry, nvIndex: '01d10301' }))] } })).toBe('log.entry');
    expect(refusal({ log: { ...device.delta(), entries: device.log.map((entry) => ({ ...entry, nvIndex: '01d10301' })) } })).toBe('log.entry');
  });

  const known = (n: number): KnownDevice => {
    const { head } = extendHead(null, { ...device.delta(), entries: device.log.slice(0, n) });
    return device.known({ head, latest: head });
  };

  it('has no gap, no end before the known one, and one history', () => {
    expect(refusal({ device: known(1), log: device.delta(2) })).toBe('log.gap');
    expect(refusal({ device: device.known(), log: device.delta(1) })).toBe('log.gap');
    const longer = extendHead(null, { ...device.delta(), entries: [...device.log, device.entry('separator')] }).head;
    expect(refusal({ device: device.known({ head: longer, latest: longer }) })).toBe('log.truncated');
    const forked = extendHead(null, { ...device.delta(), entries: [...device.log.slice(0, 2), logEntry(2, '01d10300', { kind: 'separator', data: {} })] }).head;
    expect(refusal({ device: device.known({ head: forked, latest: forked }) })).toBe('log.fork');
    expect(refusal({ device: device.known({ head: forked, latest: forked }), log: device.delta(3) })).toBe('register.value');
  });

  it('cannot be begun again in a boot that has one: redefined and rewritten, the register proves a history that the verifier does not know', async () => {
    const honest = appraise();
    const before = device.log;
    await device.beginEpochAgain();
    const evidence = await device.platform({ nonce, counter: false });
    const common = { evidence, log: device.delta(), connection: false };
    expect(refusal(common)).toBe('accepted');
    expect(refusal({ ...common, device: device.known({ clock: null, latest: honest.next!.head }) })).toBe('log.anchor');
    await device.rewriteRegister(before);
    device.log = before;
  });
});

describe('policy', () => {
  it.each([
    ['a boot log', { requireBootLog: true }, 'boot.missing', { configuration: 36 }],
    ['an IMA list', { requireIma: true }, 'ima.missing', { executables: 33 }],
  ] as const)('that asks for %s which cannot be replayed gets a warning, never a pass', (_, demand, code, vector) => {
    const { appraisal } = appraise({ policy: { ...TEST_POLICY, ...demand } });
    expect(appraisal).toMatchObject({ authentic: true, status: 'warning', vector, findings: [{ code }] });
  });

  it('that does not allow simulated TPMs contraindicates one', () => {
    const { appraisal } = appraise({ policy: { ...TEST_POLICY, allowSimulated: false } });
    expect(appraisal).toMatchObject({ status: 'contraindicated', vector: { hardware: 97 }, findings: [{ code: 'decision.simulated' }] });
  });

  it('never rounds a tier up: without an EK chain or a ceiling below it is T1', () => {
    expect(appraise({ device: device.known({ record: record({ ekRoot: null }) }) }).appraisal).toMatchObject({ tier: 'T1', status: 'warning', findings: [{ code: 'device.unchained' }] });
    expect(appraise({ device: device.known({ record: record({ tierMax: 'T1' }) }) }).appraisal.tier).toBe('T1');
    expect(appraise({ device: device.known({ record: record({ tierMax: 'T4' }) }) }).appraisal.tier).toBe('T2');
  });
});

describe('certifications beside a newer quote', () => {
  it('are not older than what is known: register and counter are each judged by their own clock', async () => {
    await sleep(20);
    const quote = { ...good.quote, ...(await device.quote(quoted('quote'))) };
    const register = await device.certify('register', quoted('register'));
    const { clock } = appraise({ evidence: { ...good, quote, register: null }, device: device.known({ head: appraise().next!.head }), log: device.delta(3), connection: false }).appraisal;
    const known = device.known({ clock: { ...clockOf(appraise()), clock, ctr: null } });
    expect(refusal({ evidence: { ...good, quote, counter: null }, device: known })).toBe('clock.rewound');
    expect(refusal({ evidence: { ...good, quote, register }, device: known })).toBe('clock.rewound');
    expect(refusal({ evidence: { ...good, quote, register, counter: null }, device: known })).toBe('accepted');
  });
});

describe('a TPM that starts anew', () => {
  it('does not lend a counter of the boot before to one of this', async () => {
    await device.reboot('resume');
    const [quote, register] = [{ ...good.quote, ...(await device.quote(quoted('quote'))) }, await device.certify('register', quoted('register'))];
    expect(refusal({ evidence: { ...good, quote, register } })).toBe('clock.mismatch');
    good = await device.platform({ nonce });
    bench = platformBench(device, good);
  });

  it('may be suspended: the register is kept, the restart count rises and the log goes on', async () => {
    const before = appraise();
    await device.reboot('resume');
    await device.measure('agent_drift');
    const evidence = await device.platform({ nonce });
    const known = device.known({ clock: { ...clockOf(before), ctr: null }, head: before.next!.head, latest: before.next!.head });
    const after = appraise({ evidence, device: known, log: device.delta(3) });
    expect(after.appraisal).toMatchObject({ authentic: true, restartCount: before.appraisal.restartCount + 1 });
    expect(after.next!.head).toMatchObject({ epoch: before.next!.head.epoch, nextN: 4, restartCount: before.appraisal.restartCount + 1 });
  });

  it.each(['restart', 'reset'] as const)('has an empty register after a %s: the old log proves nothing, a new one that names this boot does', async (how) => {
    const before = bench.appraise({ evidence: await device.platform({ nonce, counter: false }), log: device.delta(), connection: false });
    const old = device.log;
    const stale = await device.platform({ nonce, counter: false });
    await device.reboot(how);
    const known = device.known({ clock: clockOf(before), latest: before.next!.head });
    // The old log, replayed into the cleared register: same value, same Name, but of a boot that is over.
    await device.replay(old);
    const replayed = { evidence: await device.platform({ nonce, counter: false }), log: device.delta(old.length), connection: false };
    expect(refusal({ ...replayed, device: { ...known, head: before.next!.head } })).toBe(how === 'reset' ? 'log.anchor' : 'accepted');
    // A quote of the boot before beside a register of this one.
    const spliced = { ...stale, register: await device.certify('register', platformQualifyingData('register', stale.binding)) };
    expect(refusal({ evidence: spliced, log: { ...device.delta(), entries: old }, connection: false })).toBe('clock.mismatch');
    await device.beginEpochAgain();
    const fresh = appraise({ evidence: await device.platform({ nonce, counter: false }), log: device.delta(), device: known, connection: false });
    expect(fresh).toMatchObject({ appraisal: { authentic: true }, next: { anchor: { nonce: sha256('another nonce') }, head: { nextN: 1 } } });
    // And evidence of the boot before is refused once this one is known.
    expect(refusal({ evidence: stale, log: { epoch: before.next!.head.epoch, from: 0, entries: old }, device: device.known({ clock: clockOf(fresh) }), connection: false })).toBe(how === 'reset' ? 'clock.reset_decreased' : 'clock.rewound');
  });
});
