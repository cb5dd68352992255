import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { learn, learnUki, parseBootLog, phasesOf, predictPcr11, readPe, ukiDifference } from '../../attest/boot/index.js';
import type { UkiReference } from '../../src/objects/reference.js';
import { messageOf } from '../support/fault.js';
import { GOOD_BOOT, type MadeEvent, agileLog, hashOf, pcrsOf } from './support/logs.js';
import { COMMAND_LINE, PARTS, type Parts, ROOTHASH, peImage, phase, sectionsOf, started, stubEvents, ukiBoot } from './support/uki.js';

const EMPTY = new Map([12, 13].map((pcr) => [pcr, Buffer.alloc(32)] as const));
/** A machine that measured these events, and logged `logged` of them. */
const machine = (events: readonly MadeEvent[], logged = events) => ({ log: parseBootLog(agileLog(logged)), bank: 'sha256' as const, quoted: new Map([...EMPTY, ...pcrsOf(events)]) });
const hex = (data: Uint8Array): string => hashOf('sha256', data).toString('hex');
const referenceOf = (parts: Parts = PARTS, more: Partial<UkiReference> = {}): UkiReference => ({
  bank: 'sha256', sidecar: 'root', ...more,
  images: [{ started: [hex(Buffer.from('the boot loader')), hex(peImage(parts).covered)], sections: sectionsOf(parts), commandLine: parts['.cmdline'] ?? null }],
});
const why = (events: readonly MadeEvent[], reference = referenceOf(), logged = events): string | null => ukiDifference(machine(events, logged), reference, undefined);
const withLine = (commandLine: string): Parts => ({ ...PARTS, '.cmdline': commandLine });
const whyLine = (commandLine: string, sidecar: UkiReference['sidecar'] = 'root'): string | null => why(ukiBoot(withLine(commandLine)), referenceOf(withLine(commandLine), { sidecar }));

/** What `systemd-measure calculate --linux= --osrel= --cmdline= --initrd=` of systemd 252.39-1~deb12u2 printed for {@link PARTS}. */
const PREDICTED = {
  sha256: {
    'enter-initrd': '6abe73d4340b354bbbd8f47b4b0f7227dae1b467efc685f52294bc970ececb53',
    'enter-initrd:leave-initrd': '94ec17d8c274e311c4b7dc7bd1240099cbab097f5ff02f158d05f4f947e76971',
    'enter-initrd:leave-initrd:sysinit': '8cb167c4df2570d424c46a49cb11dbb6d486fbf4499fd7b414fc7978ace056df',
    'enter-initrd:leave-initrd:sysinit:ready': 'eff5118a75a3621a81e1f968d2d684321d0852687aadeb6a5b7034bde869fe8c',
  },
  sha384: {
    'enter-initrd': '22774d0322436e18a72e162a5405be0cf3cc46c59872a96f4c13ece90da4f59a3b50a3d072c51b01f995e57e2072131f',
    'enter-initrd:leave-initrd:sysinit:ready': 'd19f818de09e0cd5beb5cd5350b8d55df485e1feeb467de9542a3dab6af4c0a5139cf951923af0324cca090c98469ac6',
  },
} as const;
const MEASURE = ['/usr/lib/systemd/systemd-measure', '/lib/systemd/systemd-measure'].find((path) => existsSync(path));

describe('PCR 11', () => {
  it('is predicted as systemd-measure predicted it for the same parts, in each bank and phase', () => {
    for (const bank of ['sha256', 'sha384'] as const) {
      for (const [phases, value] of Object.entries(PREDICTED[bank])) {
        expect(predictPcr11(bank, sectionsOf(PARTS, bank), phases.split(':')).toString('hex')).toBe(value);
        expect(phasesOf(bank, sectionsOf(PARTS, bank), Buffer.from(value, 'hex'))).toEqual(phases.split(':'));
      }
    }
  });

  it.skipIf(MEASURE === undefined)(`is predicted as the systemd-measure of this machine predicts it${MEASURE === undefined ? ' (skipped: it is not installed here)' : ''}`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'ari-uki-'));
    try {
      const files = Object.entries(PARTS).map(([name, contents]) => { writeFileSync(join(dir, name), contents); return `--${name.slice(1)}=${join(dir, name)}`; });
      const told = JSON.parse(execFileSync(MEASURE!, ['calculate', '--bank=sha256', '--json=short', ...files], { encoding: 'utf8' })) as { sha256: { phase: string; hash: string }[] };
      for (const { phase: phases, hash } of told.sha256) expect(predictPcr11('sha256', sectionsOf(PARTS), phases.split(':')).toString('hex')).toBe(hash);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('has no phases for other sections, and none that systemd does not extend', () => {
    const { '.initrd': _, ...fewer } = PARTS;
    expect(phasesOf('sha256', sectionsOf(fewer), predictPcr11('sha256', sectionsOf(PARTS)))).toBeNull();
    expect(phasesOf('sha256', sectionsOf(PARTS), predictPcr11('sha256', sectionsOf(PARTS), ['ready', 'enter-initrd']))).toBeNull();
  });
});

describe('a PE image', () => {
  it('has the Authenticode digest that pesign 0.112 gives it, signed or not, whatever its checksum', () => {
    const digest = '674619a857ab9c4f3f0a12f8be34de7b1231c82442a48f5c4f239065631eb128';
    expect(readPe(peImage(PARTS).file).authenticode('sha256').toString('hex')).toBe(digest);
    const checksummed = Buffer.from(peImage(PARTS).file).fill(7, 0x58 + 64, 0x58 + 68);
    expect(readPe(checksummed).authenticode('sha256').toString('hex')).toBe(digest);
    const signed = peImage(PARTS, Buffer.alloc(64, 9));
    expect(readPe(signed.file).authenticode('sha256').toString('hex')).toBe(hex(signed.covered));
    expect(hex(signed.covered)).toBe(digest);
  });

  it('gives its sections as they stand in memory', () => {
    expect(Object.fromEntries(readPe(peImage(PARTS).file).sections.map(({ name, data }) => [name, data.toString()]))).toEqual(PARTS);
  });

  it('that is cut off, lies about a section, or is none, is refused', () => {
    const { file } = peImage(PARTS);
    for (const size of [0, 3, 0x40, 0x150, file.length - 1]) expect(messageOf(() => readPe(file.subarray(0, size)))).toContain('the file is no PE image');
    expect(messageOf(() => readPe(Buffer.alloc(4096)))).toContain('its headers are missing');
    const huge = Buffer.from(file);
    huge.writeUInt32LE(0xffffffff, 0x58 + 240 + 8);
    expect(messageOf(() => readPe(huge))).toContain('section .linux is 4294967295 bytes');
    const overlapping = Buffer.from(file);
    overlapping.writeUInt32LE(file.length - 0x200, 0x58 + 240 + 16);
    expect(messageOf(() => readPe(overlapping))).toContain('its sections overlap');
    const many = Buffer.from(file);
    many.writeUInt16LE(0xffff, 0x46);
    expect(messageOf(() => readPe(many))).toContain('65535 sections');
  });
});

describe('a machine that booted a unified kernel image of the policy', () => {
  it.each([[[]], [['enter-initrd']], [['enter-initrd', 'leave-initrd', 'sysinit', 'ready']]])('is shown to, with the phases %j that nobody logs', (phases) => {
    expect(why([...ukiBoot(), ...phases.map(phase)], referenceOf(), ukiBoot())).toBeNull();
  });

  it('is not, when the firmware started another image and its system made PCR 11 up', () => {
    const other = [...GOOD_BOOT, started(Buffer.from('a signed kernel of somebody')), ...stubEvents(PARTS)];
    expect(pcrsOf(other).get(11)).toEqual(pcrsOf(ukiBoot()).get(11));
    expect(why(other)).toMatch(new RegExp(`not of the policy: ${hex(Buffer.from('a signed kernel of somebody'))}$`));
  });

  it('is not, when that system also extends PCR 4 by the digest of the image', () => {
    const image = started(peImage(PARTS).covered);
    expect(why([...GOOD_BOOT, started(Buffer.from('a signed kernel')), image, ...stubEvents(PARTS)])).toContain('not of the policy');
    expect(why([...GOOD_BOOT, image, started(Buffer.from('the boot loader')), ...stubEvents(PARTS)])).toContain('in an order that is none of the policy');
  });

  it('is not, when its log says so and PCR 4 does not', () => {
    expect(why([...GOOD_BOOT, started(Buffer.from('a signed kernel')), ...stubEvents(PARTS)], referenceOf(), ukiBoot())).toBe('PCR 4 does not say what was started');
  });

  it('is not by the words of the firmware alone: a word that is not measured is an image', () => {
    const calling = { pcr: 4, type: 0x80000007, data: Buffer.from('Calling EFI Application from Boot Option') };
    const [image, ...rest] = ukiBoot().slice(GOOD_BOOT.length);
    expect(why([...GOOD_BOOT, calling, image!, ...rest])).toBeNull();
    expect(why([...GOOD_BOOT, { ...calling, measured: Buffer.from('something else') }, image!, ...rest])).toContain('not of the policy');
  });

  it('is not, with another section: another profile of the same image, a changed command line, an initrd more', () => {
    const image = started(peImage(PARTS).covered);
    for (const parts of [withLine('init=/bin/sh'), { ...PARTS, '.profile': 'ID=rescue' }, { '.linux': PARTS['.linux']! }]) expect(why([...GOOD_BOOT, image, ...stubEvents(parts)])).toBe('PCR 11 is not what the sections of the started image give');
  });

  it.each([[12, 'another command line'], [13, 'system extensions']])('is not, when PCR %i is not empty: %s', (pcr, what) => {
    const overridden = [...ukiBoot(), { pcr, type: 0xd, data: Buffer.from('init=/bin/sh\0', 'utf16le') }];
    expect(why(overridden)).toContain(what);
    expect(why(overridden, referenceOf(), ukiBoot())).toContain(what);
  });

  it('may have overrides that the reference says, and no others', () => {
    const credential = (text: string): MadeEvent[] => [...ukiBoot(), { pcr: 12, type: 0xd, data: Buffer.from(text) }];
    const said = machine(credential('a credential'));
    const { reference } = learn(said.log, 'sha256', said.quoted);
    expect(ukiDifference(said, referenceOf(), reference)).toBeNull();
    expect(ukiDifference(machine(credential('another')), referenceOf(), reference)).toContain('PCR 12 is neither empty nor as the reference says');
  });

  it.each([[4], [11], [12], [13]])('is not without PCR %i in the quote, without a log, or in another bank', (pcr) => {
    const booted = machine(ukiBoot());
    const quoted = new Map(booted.quoted);
    quoted.delete(pcr);
    expect(ukiDifference({ ...booted, quoted }, referenceOf(), undefined)).toBe(`PCR ${pcr} was not quoted`);
    expect(ukiDifference({ ...booted, log: null }, referenceOf(), undefined)).toBe('there is no boot log');
    expect(ukiDifference(booted, referenceOf(PARTS, { bank: 'sha384' }), undefined)).toBe('the reference is of the sha384 bank');
  });
});

describe('a command line', () => {
  it('ties the root file system to the image by a root hash, and /usr by one of its own', () => {
    expect(whyLine(COMMAND_LINE)).toBeNull();
    expect(whyLine(`roothash=${ROOTHASH} root=/dev/mapper/root dyndbg="file a.c +p"`)).toBeNull();
    expect(whyLine(`usrhash=${ROOTHASH} mount.usr=/dev/mapper/usr root=/dev/vda2`, 'usr')).toBeNull();
  });

  it.each<[string, string, UkiReference['sidecar']]>([
    ['quiet root=/dev/vda2', 'does not hold one roothash=', 'root'],
    [`usrhash=${ROOTHASH}`, 'does not hold one roothash=', 'root'],
    [COMMAND_LINE, 'does not hold one usrhash=', 'usr'],
    ['roothash=abc', 'does not hold one roothash=', 'root'],
    [`roothash=${ROOTHASH} roothash=${'8'.repeat(64)}`, 'does not hold one roothash=', 'root'],
    [`note="roothash=${ROOTHASH}"`, 'does not hold one roothash=', 'root'],
    [`note='x roothash=${ROOTHASH} x'`, 'in doubt', 'root'],
    [`roothash=${ROOTHASH} note="`, 'in doubt', 'root'],
    [`roothash=${ROOTHASH} root=/dev/vda2`, 'another device than /dev/mapper/root', 'root'],
    [`usrhash=${ROOTHASH} mount.usr=/dev/vda3`, 'another device than /dev/mapper/usr', 'usr'],
    [`roothash=${ROOTHASH} rd.systemd.verity=no`, 'turns dm-verity off', 'root'],
    [`roothash=${ROOTHASH} systemd.verity_root_options=ignore-corruption`, 'ignores what dm-verity finds', 'root'],
    ['quiet root=/dev/vda2', 'hands over to another root (root=)', 'initrd'],
    [COMMAND_LINE, 'hands over to another root (roothash=)', 'initrd'],
  ])('%s does not tie the sidecar: %s', (line, what, sidecar) => {
    expect(whyLine(line, sidecar)).toContain(what);
  });

  it('is the text that was measured, with or without a line end, and no other text', () => {
    const measured = withLine(`${COMMAND_LINE}\n`);
    const { images: [image], ...rest } = referenceOf(measured);
    const told = (commandLine: string | null): string | null => why(ukiBoot(measured), { ...rest, images: [{ ...image!, commandLine }] });
    expect(told(COMMAND_LINE)).toBeNull();
    for (const line of [`roothash=${'8'.repeat(64)}`, null]) expect(told(line)).toContain('is not the one that was measured');
  });

  it('is not there where the policy has one: then there is nothing that ties', () => {
    const { '.cmdline': _, ...bare } = PARTS;
    expect(why(ukiBoot(bare), referenceOf(bare))).toContain('does not hold one roothash=');
    const { images: [image], ...rest } = referenceOf(bare);
    expect(why(ukiBoot(bare), { ...rest, images: [{ ...image!, commandLine: COMMAND_LINE }] })).toContain('is not the one that was measured');
    expect(why(ukiBoot(bare), referenceOf(bare, { sidecar: 'initrd' }))).toBeNull();
  });

  it('a sidecar in the initrd is gone when the machine has left it', () => {
    const parts = withLine('quiet');
    const after = (...words: string[]): string | null => why([...ukiBoot(parts), ...words.map(phase)], referenceOf(parts, { sidecar: 'initrd' }), ukiBoot(parts));
    expect(after('sysinit', 'ready')).toBeNull();
    expect(after('enter-initrd')).toBeNull();
    expect(after('enter-initrd', 'leave-initrd', 'sysinit')).toContain('has left its initrd');
  });
});

describe('learning an image', () => {
  const file = readPe(peImage(PARTS).file);
  const learnt = (events: readonly MadeEvent[] = ukiBoot(), image = file, sidecar: UkiReference['sidecar'] = 'root', known?: UkiReference): UkiReference => learnUki(machine(events), image, sidecar, known);

  it('gives what the machine that booted it satisfies, from the machine and the file', () => {
    expect(learnt()).toEqual(referenceOf());
    expect(why(ukiBoot(), learnt())).toBeNull();
  });

  it('keeps the images that were good before, once each; not those of a sidecar elsewhere', () => {
    const old = referenceOf(withLine(`roothash=${'8'.repeat(64)}`));
    expect(learnt(ukiBoot(), file, 'root', { ...old, images: [...referenceOf().images, ...old.images] }).images).toEqual([...old.images, ...referenceOf().images]);
    expect(learnt(ukiBoot(), file, 'root', { ...old, sidecar: 'usr' }).images).toEqual(referenceOf().images);
  });

  it.each<[string, () => unknown]>([
    ['PCR 4 does not say that this file was started', () => learnt(ukiBoot(), readPe(peImage(withLine('other')).file))],
    ['PCR 4 does not say that this file was started', () => learnt(GOOD_BOOT.concat(stubEvents(PARTS)))],
    ['the section .cmdline that was measured is not that of this file', () => learnt([...GOOD_BOOT, started(peImage(PARTS).covered), ...stubEvents(withLine('roothash=other'))])],
    ['PCR 11 holds other things than the sections', () => learnt([...ukiBoot(), { pcr: 11, type: 0xd, data: Buffer.from('more') }])],
    ['does not hold one usrhash=', () => learnt(ukiBoot(), file, 'usr')],
    ['hands over to another root', () => learnt(ukiBoot(), file, 'initrd')],
    ['no line of text', () => learnt(ukiBoot(withLine('two\nlines')), readPe(peImage(withLine('two\nlines')).file))],
    ['PCR 13 was not quoted', () => { const booted = machine(ukiBoot()); booted.quoted.delete(13); return learnUki(booted, file, 'root'); }],
  ])('is refused: %s', (what, attempt) => {
    expect(messageOf(attempt)).toContain(what);
  });
});
