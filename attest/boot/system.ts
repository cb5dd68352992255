/** What loaders measure of the operating system: GRUB's commands (PCR 8), the kernel's command line (PCRs 8, 9, 12), the parts of a unified kernel image (PCR 11). */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { hashWith } from '../hashes.js';
import { EV } from './events.js';
import type { BootEvent, BootLog } from './log.js';
import { eventsOf } from './replay.js';
import { printable } from './secureboot.js';

/**
 * A command line, by who measured it. `text` is there when the digest covers it. GRUB's digest covers the words but not its label `kernel_cmdline:`, so
 * whoever may run commands in GRUB can log one of them as this. Linux' EFI stub logs no text at all: its digest can only be compared with one that is known.
 */
export interface CommandLine { readonly by: 'grub' | 'systemd-stub' | 'efi-stub'; readonly pcr: number; readonly text: string | null; readonly digest: string }
/** A section of a unified kernel image: its name is covered by the event before, its contents by `digest`. */
export interface UkiSection { readonly name: string; readonly digest: string }

/** Linux takes no longer command line on x86 than twice this. */
const MAX_LINE = 2048;

const covers = (bank: HashAlg, { digests }: BootEvent, data: Uint8Array): boolean => hashWith(bank, data).equals(digests[bank]!);
const digestOf = (bank: HashAlg, { digests }: BootEvent): string => digests[bank]!.toString('hex');

const GRUB_LABEL = /^(?:grub_)?kernel_cmdline:? /;
/** grub_tpm_measure hashes the words alone and logs them behind a label, with a NUL at the end. */
function grubLine(bank: HashAlg, event: BootEvent): CommandLine[] {
  const logged = event.data.toString('latin1').replace(/\0+$/, '');
  if (event.type !== EV.ipl || !GRUB_LABEL.test(logged)) return [];
  const words = logged.replace(GRUB_LABEL, '');
  const covered = [words, `${words}\0`, logged].some((each) => covers(bank, event, Buffer.from(each, 'latin1')));
  return covered ? [{ by: 'grub', pcr: 8, text: printable(words, MAX_LINE), digest: digestOf(bank, event) }] : [];
}

/** tpm_log_load_options of systemd-stub: UTF-16 with its NUL, hashed as logged. */
function stubLine(bank: HashAlg, event: BootEvent): CommandLine[] {
  if (event.type !== EV.ipl || !covers(bank, event, event.data)) return [];
  return [{ by: 'systemd-stub', pcr: 12, text: printable(event.data.toString('utf16le').replace(/\0$/, ''), MAX_LINE), digest: digestOf(bank, event) }];
}

const LOAD_OPTIONS = 'LOADED_IMAGE::LoadOptions';
function efiStubLine(bank: HashAlg, event: BootEvent): CommandLine[] {
  return event.type === EV.eventTag && event.data.includes(LOAD_OPTIONS) ? [{ by: 'efi-stub', pcr: 9, text: null, digest: digestOf(bank, event) }] : [];
}

const READERS = [[8, grubLine], [9, efiStubLine], [12, stubLine]] as const;

/** @param pcrs those that were found to be the log's */
export const readCommandLines = (log: BootLog, bank: HashAlg, pcrs: ReadonlySet<number>): CommandLine[] =>
  READERS.flatMap(([pcr, read]) => (pcrs.has(pcr) ? eventsOf(log, bank, pcr).flatMap((event) => read(bank, event)) : []));

/** systemd-stub measures each section twice: its name (ASCII, with NUL), then its contents. Both events carry the name in UTF-16. */
export function readUki(log: BootLog, bank: HashAlg, pcrs: ReadonlySet<number>): UkiSection[] {
  if (!pcrs.has(11)) return [];
  const events = eventsOf(log, bank, 11).filter(({ type }) => type === EV.ipl);
  return events.flatMap((event, i) => {
    const name = event.data.toString('utf16le').replace(/\0$/, '');
    const contents = events[i + 1];
    return /^\.[a-z]{1,15}$/.test(name) && contents !== undefined && covers(bank, event, Buffer.from(`${name}\0`, 'latin1')) ? [{ name, digest: digestOf(bank, contents) }] : [];
  });
}
