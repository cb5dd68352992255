/**
 * Unified kernel images (UAPI.5) as systemd-stub measures them, held against a quote. Any program can extend PCR 11 into any value on a machine that was
 * booted otherwise: what it holds counts only when PCR 4 says that this image, and nothing beside it, was started. Digests alone are compared; no type and
 * no text of a log is believed.
 */
import type { HashAlg } from '@ari-sidecar/tpm2';
import type { BootReference, UkiImage, UkiReference } from '../../src/objects/reference.js';
import { extended, hashWith } from '../hashes.js';
import type { BootLog } from './log.js';
import { PHASES } from './quirks.js';
import { type Pcrs, compare, eventsOf } from './replay.js';
import { untied } from './verity.js';

/** PCRs that the firmware, the stub and the stub's overrides extend: images started; sections; command line, credentials and add-ons; system extensions. */
export const STARTED_PCR = 4;
export const UKI_PCR = 11;
const OVERRIDE_PCRS = [12, 13];
export const UKI_PCRS = [STARTED_PCR, UKI_PCR, ...OVERRIDE_PCRS];

/** What may stand between images in PCR 4: the firmware's own words, and separators (Platform Firmware Profile section 3.3.4.5). */
const CONSTANTS = [Buffer.alloc(4), Buffer.alloc(4, 0xff), Buffer.from('Calling EFI Application from Boot Option', 'latin1')];

/** Digests of the images that the firmware started, in order: whatever in PCR 4 is not one of its own words. */
export function startedImages(log: BootLog, bank: HashAlg): string[] {
  const constants = new Set(CONSTANTS.map((data) => hashWith(bank, data).toString('hex')));
  return eventsOf(log, bank, STARTED_PCR).map(({ digests }) => digests[bank]!.toString('hex')).filter((digest) => !constants.has(digest));
}

const text = (words: string): Buffer => Buffer.from(words, 'latin1');
/** PCR 11 as `systemd-measure calculate` predicts it: the name of each section with its NUL, its contents, then the words of the phases. */
export function predictPcr11(bank: HashAlg, sections: UkiImage['sections'], phases: readonly string[] = []): Buffer {
  const digests = [...sections.flatMap(({ name, digest }) => [hashWith(bank, text(`${name}\0`)), Buffer.from(digest, 'hex')]), ...phases.map((phase) => hashWith(bank, text(phase)))];
  return digests.reduce((value, digest) => extended(bank, value, digest), hashWith(bank, text('')).fill(0));
}

/** A machine boots through an initrd, or has its whole system in it. */
const WAYS = [PHASES, PHASES.slice(2)].flatMap((phases) => Array.from({ length: phases.length + 1 }, (_, i) => phases.slice(0, i)));
/** How far the boot had come, for sections that give this value of PCR 11; null when they do not. */
export const phasesOf = (bank: HashAlg, sections: UkiImage['sections'], quoted: Buffer): readonly string[] | null =>
  WAYS.find((phases) => predictPcr11(bank, sections, phases).equals(quoted)) ?? null;

/** Images end their command line as their makers like. */
const ENDINGS = ['', '\n', '\0', '\n\0'];
/** Whether this is the text whose digest was measured; an image without the section has none. */
export function isCommandLine(bank: HashAlg, { sections, commandLine }: UkiImage): boolean {
  const measured = sections.filter(({ name }) => name === '.cmdline');
  if (commandLine === null || measured.length !== 1) return commandLine === null && measured.length === 0;
  return ENDINGS.some((ending) => hashWith(bank, Buffer.from(`${commandLine}${ending}`)).toString('hex') === measured[0]!.digest);
}

/** A machine as its quote, which was verified, and its log tell it. */
export interface Booted { readonly log: BootLog | null; readonly bank: UkiReference['bank']; readonly quoted: Pcrs }

/**
 * Why it is not shown that the machine runs one of the policy's images with the sidecar in it; null when it is.
 * @param reference values of PCRs 12 and 13 that are good besides "nothing was overridden"
 */
export function ukiDifference({ log, bank, quoted }: Booted, { images, sidecar, ...uki }: UkiReference, reference: BootReference | undefined): string | null {
  if (bank !== uki.bank) return `the reference is of the ${uki.bank} bank`;
  if (log === null) return 'there is no boot log';
  const missing = UKI_PCRS.filter((pcr) => !quoted.has(pcr));
  if (missing.length > 0) return `PCR ${missing.join(', ')} was not quoted`;
  if (compare(log, bank, new Map([[STARTED_PCR, quoted.get(STARTED_PCR)!]]))[0]!.standing !== 'replayed') return 'PCR 4 does not say what was started';
  const started = startedImages(log, bank);
  const candidates = images.filter((image) => image.started.length === started.length && image.started.every((digest, i) => digest === started[i]));
  if (candidates.length === 0) return foreign(started, images);
  const overridden = OVERRIDE_PCRS.find((pcr) => !isAsSaid(pcr, quoted.get(pcr)!, reference));
  if (overridden !== undefined) return `PCR ${overridden} is neither empty nor as the reference says: ${overridden === 12 ? 'another command line, credentials or add-ons' : 'system extensions'} came to the image`;
  const why = candidates.map((image) => imageDifference(image, bank, quoted.get(UKI_PCR)!, sidecar));
  return why.includes(null) ? null : why[0]!;
}

function foreign(started: readonly string[], images: readonly UkiImage[]): string {
  const known = new Set(images.flatMap((image) => image.started));
  const other = started.find((digest) => !known.has(digest));
  return other === undefined ? `PCR 4 shows ${started.length} images in an order that is none of the policy's` : `PCR 4 shows that an image was started which is not of the policy: ${other}`;
}

const isAsSaid = (pcr: number, value: Buffer, reference: BootReference | undefined): boolean =>
  value.every((byte) => byte === 0) || reference?.pcrs.some((row) => row.pcr === pcr && row.values.includes(value.toString('hex'))) === true;

function imageDifference(image: UkiImage, bank: HashAlg, quoted: Buffer, sidecar: UkiReference['sidecar']): string | null {
  const phases = phasesOf(bank, image.sections, quoted);
  if (phases === null) return 'PCR 11 is not what the sections of the started image give';
  if (!isCommandLine(bank, image)) return "the policy's text of the command line is not the one that was measured";
  if (sidecar === 'initrd' && phases.includes('leave-initrd')) return 'the machine has left its initrd (phase leave-initrd), the policy says that the sidecar is in it';
  return untied(image.commandLine, sidecar);
}
