import { describe, expect, it } from 'vitest';
import { EV, parseBootLog, readBoot, readCcSecureBoot, readSecureBoot } from '../../attest/boot/index.js';
import { inspectEventLog, supposedState } from '../../attest/inspect/index.js';
import { GOOD_BOOT, type MadeEvent, SECURE_BOOT, agileLog, pcrsOf, variable } from './support/logs.js';

/** A CC event log: its first event has the index of a measurement register. */
const ccLog = (events: readonly MadeEvent[]): Buffer => { const log = agileLog(events, ['sha384']); log.writeUInt32LE(1, 0); return log; };
const mr = (pcr: number, type: number, data: Uint8Array, measured = data): MadeEvent => ({ pcr, type, data, measured });
const inMr = (events: readonly MadeEvent[]): MadeEvent[] => events.map((event) => ({ ...event, pcr: 1 }));
const FIRMWARE = [mr(1, EV.efiHandoffTables2, Buffer.from('TdxTable'), Buffer.from('tables')), mr(1, EV.efiPlatformFirmwareBlob2, Buffer.from('Fv'), Buffer.from('the volume'))];
const BOOT_VARIABLE = mr(1, EV.efiVariableBoot, variable('Boot0001', Buffer.from('an entry')), Buffer.from('an entry'));
const CONFIGURED = mr(1, EV.platformConfigFlags, Buffer.from('ACPI DATA'), Buffer.from('tables'));
const HONEST = [...FIRMWARE, ...inMr(SECURE_BOOT.slice(0, 6)), CONFIGURED, BOOT_VARIABLE, mr(1, EV.separator, Buffer.alloc(4)), ...inMr(SECURE_BOOT.slice(6)), mr(2, EV.efiAction, Buffer.from('Calling EFI Application from Boot Option'))];
const off = (events: readonly MadeEvent[]): MadeEvent[] => events.map((event) => (event.data === SECURE_BOOT[0]!.data ? { ...event, data: variable('SecureBoot', Buffer.of(0)), measured: variable('SecureBoot', Buffer.of(0)) } : event));
const read = (events: readonly MadeEvent[]): ReturnType<typeof readCcSecureBoot> => readCcSecureBoot(parseBootLog(ccLog(events)), 'sha384');
const whyNot = (events: readonly MadeEvent[]): string => { const reading = read(events); return reading.known ? 'known' : reading.why; };

describe('a CC event log', () => {
  it('is told from that of a TPM, and says Secure Boot and who allowed what by the register that it shares with PCR 1', () => {
    expect(parseBootLog(ccLog(HONEST)).registers).toBe('mr');
    expect(parseBootLog(agileLog(GOOD_BOOT)).registers).toBe('pcr');
    expect(read(HONEST)).toMatchObject({ known: true, state: { enabled: true, authorities: { afterSeparator: [{ variable: 'db' }] } } });
    expect(read(off(HONEST))).toMatchObject({ known: true, state: { enabled: false } });
  });

  it('is shown with the registers of TDX, and says what of it nobody vouches for', () => {
    const { report, log } = inspectEventLog(ccLog(HONEST));
    expect(report.cc).toEqual({ registers: { 'RTMR[0]': report.pcrs['sha384']!['1'], 'RTMR[1]': report.pcrs['sha384']!['2'] }, secureBoot: true });
    expect(supposedState(log).untrusted).toContain('which events behind the separator of MR 1 are authorities: boot variables are measured into it too');
    expect(inspectEventLog(agileLog(GOOD_BOOT)).report).not.toHaveProperty('cc');
  });

  it('whose digest is of another state than its text is not believed', () => {
    expect(whyNot(HONEST.map((event) => (event.data === SECURE_BOOT[0]!.data ? { ...event, measured: variable('SecureBoot', Buffer.of(0)) } : event)))).toContain('is not what was measured');
  });

  it('cannot be retyped: boot variables that hold the bytes of Secure Boot’s do not stand where its own are', () => {
    const made = SECURE_BOOT.slice(0, 6).map(({ data }) => mr(1, EV.efiVariableBoot, data!));
    const machine = [...off(HONEST.slice(0, 8)), ...made];
    const hidden = (as: readonly number[]): MadeEvent[] => [
      ...machine.slice(0, 8).map((event, i) => (i < 2 ? event : { ...event, type: as[(i - 2) % as.length]!, data: Buffer.from('ACPI DATA'), measured: event.data! })),
      ...inMr(SECURE_BOOT.slice(0, 6)),
    ];
    const digests = (events: readonly MadeEvent[]): string => pcrsOf(events, 'sha384').get(1)!.toString('hex');
    expect(digests(hidden([EV.platformConfigFlags]))).toBe(digests(machine));
    expect(whyNot(hidden([EV.platformConfigFlags]))).toContain('SecureBoot is not where firmware measures it');
    expect(whyNot(hidden([EV.efiHandoffTables, EV.efiPlatformFirmwareBlob]))).toContain('a second EV_EFI_HANDOFF_TABLES');
  });

  it.each<[string, readonly MadeEvent[], string]>([
    ['a variable is missing', HONEST.filter((_, i) => i !== 4), 'KEK is not where'],
    ['the separator is missing', HONEST.filter((_, i) => i !== 7), 'where the separator must be'],
    ['it ends before them', HONEST.slice(0, 2), '0 variables SecureBoot'],
    ['a variable stands twice', [...HONEST.slice(0, 3), HONEST[2]!, ...HONEST.slice(3)], 'PK is not where'],
  ])('says nothing when %s', (_, events, why) => {
    expect(whyNot(events)).toContain(why);
  });

  it('proves nothing of a machine with a TPM: boot variables in PCR 1 cannot pose as its Secure Boot', () => {
    const lie = [...GOOD_BOOT.filter(({ pcr }) => pcr !== 1), ...inMr(SECURE_BOOT.slice(0, 6))];
    const log = parseBootLog(ccLog(lie));
    expect(readBoot(log, 'sha384', pcrsOf(lie, 'sha384')).secureBoot).toEqual({ known: false, why: 'it is a CC event log, which says nothing of PCRs' });
    expect(readSecureBoot(parseBootLog(agileLog(off(GOOD_BOOT), ['sha384'])), 'sha384')).toMatchObject({ state: { enabled: false } });
  });
});
