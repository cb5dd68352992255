import { describe, expect, it } from 'vitest';
import { type BootLog, EV, compare, contradictions, judge, learn, parseBootLog, readBoot, readSecureBoot, replay, typeName, union } from '../../attest/boot/index.js';
import { codeOf } from '../support/fault.js';
import { GOOD_BOOT, type MadeEvent, SECURE_BOOT, agileEvent, agileLog, hashOf, pcrsOf, sha1Log, signatureList, specId, variable } from './support/logs.js';

const good = parseBootLog(agileLog(GOOD_BOOT));
const hexes = (pcrs: ReadonlyMap<number, Buffer>): string[] => [...pcrs].map(([pcr, value]) => `${pcr} ${value.toString('hex')}`).sort();
const secureBootOf = (events: readonly MadeEvent[]): ReturnType<typeof readSecureBoot> => readSecureBoot(parseBootLog(agileLog(events)), 'sha256');
const whyNot = (events: readonly MadeEvent[]): string => { const reading = secureBootOf(events); return reading.known ? 'known' : reading.why; };

describe('a boot log', () => {
  it('is replayed in each of its banks', () => {
    for (const bank of ['sha1', 'sha256'] as const) expect(hexes(replay(good, bank))).toEqual(hexes(pcrsOf(GOOD_BOOT, bank)));
  });

  it('of the SHA-1 format is replayed too', () => {
    const log = parseBootLog(sha1Log(GOOD_BOOT));
    expect(log.format).toBe('tcg-sha1');
    expect(hexes(replay(log, 'sha1'))).toEqual(hexes(pcrsOf(GOOD_BOOT, 'sha1')));
  });

  it.each([[3], [4]])('begins PCR 0 with the locality that it says, %i', (locality) => {
    const events = [{ pcr: 0, type: EV.noAction, data: Buffer.concat([Buffer.from('StartupLocality\0'), Buffer.of(locality)]) }, ...GOOD_BOOT];
    const log = parseBootLog(agileLog(events));
    expect(log.startupLocality).toBe(locality);
    expect(hexes(replay(log, 'sha256'))).toEqual(hexes(pcrsOf(GOOD_BOOT, 'sha256', locality)));
  });

  it('with an H-CRTM event begins PCR 0 with locality 4', () => {
    const events = [{ pcr: 0, type: EV.efiHcrtmEvent, data: Buffer.from('HCRTM') }, ...GOOD_BOOT];
    expect(hexes(replay(parseBootLog(agileLog(events)), 'sha256'))).toEqual(hexes(pcrsOf(events, 'sha256', 4)));
  });

  it('counts what stands behind its last event, and believes none of it', () => {
    for (const padding of [Buffer.alloc(64, 0xff), Buffer.alloc(64), Buffer.alloc(5, 1)]) {
      const log = parseBootLog(Buffer.concat([agileLog(GOOD_BOOT), padding]));
      expect([log.events.length, log.trailingBytes]).toEqual([GOOD_BOOT.length + 1, padding.length]);
    }
  });

  it.each<[string, Buffer]>([
    ['is empty', Buffer.alloc(0)],
    ['ends inside an event', agileLog(GOOD_BOOT).subarray(0, -3)],
    ['has an event of 4 GiB', Buffer.concat([specId(), agileEvent({ pcr: 0, type: 8 }).subarray(0, -4), Buffer.alloc(4, 0xff)])],
    ['has a digest of an algorithm that it did not declare', Buffer.concat([specId(['sha256']), agileEvent({ pcr: 0, type: 8 }, ['sha1'])])],
    ['has two digests of one algorithm', Buffer.concat([specId(['sha1', 'sha256']), agileEvent({ pcr: 0, type: 8 }, ['sha1', 'sha1'])])],
    ['has more digests than banks', Buffer.concat([specId(['sha256']), agileEvent({ pcr: 0, type: 8 }, ['sha256', 'sha256'])])],
    ['declares a bank twice', specId(['sha256', 'sha256'])],
    ['declares SHA-256 with 20 bytes', Buffer.from(specId(['sha256']).toString('hex').replace('0b002000', '0b001400'), 'hex')],
  ])('that %s is refused whole', (_, bytes) => {
    expect(codeOf(() => parseBootLog(bytes))).toBe('boot.malformed');
  });

  it('of many events is refused before they are all read', () => {
    const event = agileEvent({ pcr: 0, type: 8 }, ['sha1']);
    expect(codeOf(() => parseBootLog(Buffer.concat([specId(['sha1']), ...Array.from({ length: 100_001 }, () => event)])))).toBe('boot.too_large');
  });

  it('names its events as the profile does', () => {
    expect([EV.separator, EV.efiPlatformFirmwareBlob2, EV.ipl, EV.efiVariableDriverConfig, 0x1234].map(typeName)).toEqual(['EV_SEPARATOR', 'EV_EFI_PLATFORM_FIRMWARE_BLOB2', 'EV_IPL', 'EV_EFI_VARIABLE_DRIVER_CONFIG', '0x00001234']);
  });
});

describe('a log against quoted PCRs', () => {
  const standings = (log: BootLog, quoted: ReadonlyMap<number, Buffer>): string[] => compare(log, 'sha256', quoted).map(({ pcr, standing, quirk }) => `${pcr} ${standing}${quirk === null ? '' : ` (${quirk})`}`);

  it('names each PCR that disagrees, and no other', () => {
    const quoted = pcrsOf(GOOD_BOOT).set(4, Buffer.alloc(32, 9));
    expect(contradictions(readBoot(good, 'sha256', quoted)).map(({ pcr }) => pcr)).toEqual([4]);
  });

  it('an event left out, added, changed or moved is seen in its PCR', () => {
    const lies: [string, MadeEvent[]][] = [
      ['left out', GOOD_BOOT.filter((_, i) => i !== 1)], ['added', [...GOOD_BOOT, { pcr: 0, type: 8 }]],
      ['changed', GOOD_BOOT.map((event, i) => (i === 0 ? { ...event, data: Buffer.from('firmware 1.1') } : event))], ['moved', [GOOD_BOOT[1]!, GOOD_BOOT[0]!, ...GOOD_BOOT.slice(2)]],
    ];
    for (const [what, events] of lies) expect(contradictions(readBoot(parseBootLog(agileLog(events)), 'sha256', pcrsOf(GOOD_BOOT))).map(({ pcr }) => pcr), what).toEqual([0]);
  });

  it('a PCR without events is initial, or of something else than the firmware', () => {
    expect(standings(good, new Map([[8, Buffer.alloc(32)], [17, Buffer.alloc(32, 0xff)], [10, Buffer.alloc(32, 1)], [23, Buffer.alloc(32, 0xff)]]))).toEqual(['8 initial', '17 initial', '10 other', '23 other']);
  });

  it('firmware’s own PCRs cannot be of something else', () => {
    const log = parseBootLog(agileLog(GOOD_BOOT.filter(({ pcr }) => pcr !== 2)));
    expect(contradictions(readBoot(log, 'sha256', pcrsOf(GOOD_BOOT))).map(({ pcr }) => pcr)).toEqual([2]);
  });

  it.each<[string, number, MadeEvent[]]>([
    ['not logged: Exit Boot Services Invocation, Exit Boot Services Returned with Success', 5, ['Exit Boot Services Invocation', 'Exit Boot Services Returned with Success'].map((words) => ({ pcr: 5, type: EV.efiAction, data: Buffer.from(words) }))],
    ['systemd phases enter-initrd, leave-initrd', 11, ['enter-initrd', 'leave-initrd'].map((words) => ({ pcr: 11, type: EV.ipl, data: Buffer.from(words) }))],
  ])('a known quirk is tried where the replay fails, and named: %s', (name, pcr, unlogged) => {
    const logged = [...GOOD_BOOT, { pcr: 11, type: EV.ipl, data: Buffer.from('.linux') }];
    const log = parseBootLog(agileLog(logged));
    const quoted = pcrsOf([...logged, ...unlogged]);
    expect(standings(log, new Map([[pcr, quoted.get(pcr)!]]))).toEqual([`${pcr} replayed (${name})`]);
    expect(readBoot(log, 'sha256', quoted).untrusted).toContain(`PCR ${pcr} was replayed with what no log says (${name})`);
  });

  it('a locality that is not logged is a quirk too, but not where the log says another', () => {
    expect(standings(good, new Map([[0, pcrsOf(GOOD_BOOT, 'sha256', 3).get(0)!]]))).toEqual(['0 replayed (startup in locality 3 not logged)']);
    const said = parseBootLog(agileLog([{ pcr: 0, type: EV.noAction, data: Buffer.concat([Buffer.from('StartupLocality\0'), Buffer.of(0)]) }, ...GOOD_BOOT]));
    expect(standings(said, new Map([[0, pcrsOf(GOOD_BOOT, 'sha256', 3).get(0)!]]))).toEqual(['0 differs']);
  });
});

describe('Secure Boot', () => {
  it('is on with its databases and who allowed what', () => {
    const reading = secureBootOf(SECURE_BOOT);
    expect(reading).toMatchObject({ known: true, state: { enabled: true, dmaUnprotected: false, authorities: { beforeSeparator: [], afterSeparator: [{ variable: 'db' }] } } });
    expect(reading.known && [reading.state.pk, reading.state.kek, reading.state.db, reading.state.dbx].map(([first]) => first?.data.toString())).toEqual(['the platform key', 'an exchange key', 'good signer', 'bad image']);
  });

  it.each([[0], [null]])('is off when the variable is %s', (value) => {
    const off = SECURE_BOOT.map((event, i) => (i === 0 ? { ...event, data: variable('SecureBoot', value === null ? Buffer.alloc(0) : Buffer.of(value)) } : event));
    expect(secureBootOf(off)).toMatchObject({ known: true, state: { enabled: false } });
  });

  it('is told only where PCR 7 is what was quoted', () => {
    const quoted = pcrsOf(GOOD_BOOT);
    expect(readBoot(good, 'sha256', quoted).secureBoot.known).toBe(true);
    expect(readBoot(good, 'sha256', new Map([[7, Buffer.alloc(32, 1)]])).secureBoot.known).toBe(false);
    expect(readBoot(good, 'sha256', new Map()).secureBoot.known).toBe(false);
  });

  it('a log whose text says "on" over the digest of "off" is not believed', () => {
    const lie = SECURE_BOOT.map((event, i) => (i === 0 ? { ...event, measured: variable('SecureBoot', Buffer.of(0)) } : event));
    expect(hexes(pcrsOf(lie))).not.toEqual(hexes(pcrsOf(SECURE_BOOT)));
    expect(whyNot(lie)).toContain('is not what was measured');
  });

  const at = (i: number, event: MadeEvent): MadeEvent[] => [...SECURE_BOOT.slice(0, i), event, ...SECURE_BOOT.slice(i)];
  it.each<[string, readonly MadeEvent[], string]>([
    ['a second SecureBoot', at(1, { pcr: 7, type: EV.efiVariableDriverConfig, data: variable('SecureBoot', Buffer.of(1)) }), 'SecureBoot twice'],
    ['a variable behind the separator', at(6, { pcr: 7, type: EV.efiVariableDriverConfig, data: variable('AuditMode', Buffer.of(0)) }), 'behind the separator'],
    ['a second separator', at(6, { pcr: 7, type: EV.separator, data: Buffer.alloc(4) }), 'second separator'],
    ['a separator that says the firmware failed', SECURE_BOOT.map((event, i) => (i === 5 ? { ...event, data: Buffer.from('01000000', 'hex') } : event)), 'a separator of 01000000'],
    ['no separator', SECURE_BOOT.filter((_, i) => i !== 5), 'no separator'],
    ['no SecureBoot', SECURE_BOOT.slice(1), '0 variables SecureBoot'],
    ['UEFI debug mode', at(0, { pcr: 7, type: EV.efiAction, data: Buffer.from('UEFI Debug Mode') }), 'UEFI Debug Mode'],
    ['a retyped event: what GRUB was told, as a variable', at(1, { pcr: 7, type: EV.ipl, data: variable('SecureBoot', Buffer.of(1)) }), 'the type EV_IPL has no place in PCR 7'],
    ['a variable longer than its event', at(1, { pcr: 7, type: EV.efiVariableDriverConfig, data: variable('db', Buffer.alloc(1)).fill(0xff, 24, 32) }), 'bytes are left'],
    ['a signature list that is none', at(1, { pcr: 7, type: EV.efiVariableDriverConfig, data: variable('dbx', signatureList(Buffer.alloc(4)).fill(0, 24, 28)) }), 'a signature list'],
  ])('is not told after %s', (_, events, why) => {
    expect(whyNot(events)).toContain(why);
  });

  it('an unprotected DMA is said', () => {
    expect(secureBootOf(at(5, { pcr: 7, type: EV.efiAction, data: Buffer.from('DMA Protection Disabled') }))).toMatchObject({ known: true, state: { dmaUnprotected: true } });
  });
});

describe('what loaders measured', () => {
  const utf16 = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf16le');
  const events: MadeEvent[] = [
    { pcr: 8, type: EV.ipl, data: Buffer.from('kernel_cmdline: /vmlinuz ro quiet\0'), measured: Buffer.from('/vmlinuz ro quiet') },
    { pcr: 9, type: EV.eventTag, data: Buffer.from('LOADED_IMAGE::LoadOptions\0'), measured: utf16('ro') },
    { pcr: 11, type: EV.ipl, data: utf16('.linux'), measured: Buffer.from('.linux\0') }, { pcr: 11, type: EV.ipl, data: utf16('.linux'), measured: Buffer.from('the kernel') },
    { pcr: 12, type: EV.ipl, data: utf16('root=/dev/sda ro') },
  ];
  const state = (all: readonly MadeEvent[]): ReturnType<typeof readBoot> => readBoot(parseBootLog(agileLog(all)), 'sha256', pcrsOf(all));

  it('is read where the digest covers it: GRUB’s and the stub’s command lines, the parts of a unified image', () => {
    expect(state(events).commandLines.map(({ by, text }) => [by, text])).toEqual([['grub', '/vmlinuz ro quiet'], ['efi-stub', null], ['systemd-stub', 'root=/dev/sda ro']]);
    expect(state(events).uki).toEqual([{ name: '.linux', digest: hashOf('sha256', Buffer.from('the kernel')).toString('hex') }]);
  });

  it('a command line in the log that was not the one measured is not read', () => {
    const lies = events.map((event) => (event.pcr === 8 ? { ...event, data: Buffer.from('kernel_cmdline: /vmlinuz lockdown=integrity\0') } : event.pcr === 12 ? { ...event, data: utf16('lies'), measured: utf16('truth') } : event));
    expect(state(lies).commandLines.map(({ by }) => by)).toEqual(['efi-stub']);
  });
});

describe('reference values', () => {
  const quoted = pcrsOf(GOOD_BOOT);
  const { reference, left } = learn(good, 'sha256', new Map([...quoted, [10, Buffer.alloc(32, 1)]]));
  const after = (events: readonly MadeEvent[]): string[] => judge(parseBootLog(agileLog(events)), 'sha256', pcrsOf(events), reference, 'enforce').findings.map(({ message }) => message);

  it('learnt from a machine find nothing on the same machine', () => {
    expect(after(GOOD_BOOT)).toEqual([]);
    expect(left.map(({ pcr }) => pcr)).toEqual([10]);
  });

  it('name the PCR and the event that is new, missing or moved', () => {
    expect(after(GOOD_BOOT.map((event, i) => (i === GOOD_BOOT.length - 1 ? { ...event, measured: Buffer.from('an evil loader') } : event)))[0]).toMatch(/PCR 4 .*event 17 \(EV_EFI_BOOT_SERVICES_APPLICATION\) was not learnt: /);
    expect(after(GOOD_BOOT.slice(0, -1))[0]).toMatch(/PCR 4 .*an event that was learnt is missing \(EV_EFI_BOOT_SERVICES_APPLICATION\)/);
    expect(after([GOOD_BOOT[1]!, GOOD_BOOT[0]!, ...GOOD_BOOT.slice(2)])[0]).toMatch(/PCR 0 .*in another order/);
  });

  it('fail closed without a log, without the PCR, and in another bank', () => {
    const bad = new Map(quoted).set(4, Buffer.alloc(32, 9));
    expect(judge(null, 'sha256', bad, reference, 'enforce').findings.map(({ message }) => message)).toEqual([expect.stringMatching(/PCR 4 .*no log explains it/)]);
    expect(judge(good, 'sha256', new Map(), reference, 'enforce').findings).toHaveLength(reference.pcrs.length);
    expect(judge(good, 'sha384', quoted, reference, 'enforce').findings).toHaveLength(reference.pcrs.length);
  });

  it('only report in shadow, and say nothing while learning', () => {
    const bad = new Map(quoted).set(4, Buffer.alloc(32, 9));
    expect(judge(good, 'sha256', bad, reference, 'shadow')).toMatchObject({ findings: [], wouldFail: [{ code: 'boot.reference' }] });
    expect(judge(good, 'sha256', bad, reference, 'learn')).toEqual({ findings: [], wouldFail: [] });
  });

  it('of two versions stand together while an update rolls out', () => {
    const updated = GOOD_BOOT.map((event, i) => (i === 0 ? { ...event, data: Buffer.from('firmware 2.0') } : event));
    const both = union(reference, learn(parseBootLog(agileLog(updated)), 'sha256', pcrsOf(updated)).reference);
    for (const events of [GOOD_BOOT, updated]) expect(judge(parseBootLog(agileLog(events)), 'sha256', pcrsOf(events), both, 'enforce').findings).toEqual([]);
  });
});
