/** Learning a unified kernel image from a good machine that booted it and from its file: the log says what was measured, only the file holds the text of the command line. */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { type Fault, fault } from '../../src/base/fault.js';
import type { UkiImage, UkiReference } from '../../src/objects/reference.js';
import { hashWith } from '../hashes.js';
import type { BootLog } from './log.js';
import type { PeImage, PeSection } from './pe.js';
import { compare } from './replay.js';
import { readUki } from './system.js';
import { type Booted, STARTED_PCR, UKI_PCR, UKI_PCRS, isCommandLine, phasesOf, startedImages } from './uki.js';
import { untied } from './verity.js';

const notLearnt = (what: string): Fault => fault('usage.wrong', { what: `the unified kernel image is not learnt: ${what}` });

/**
 * The policy's images and this one.
 * @param known those of another bank, or with the sidecar elsewhere, are dropped: they cannot be good beside this one
 * @throws Fault usage.wrong when the machine did not boot this file, or when nothing would tie the sidecar to it
 */
export function learnUki(booted: Booted & { readonly log: BootLog }, file: PeImage, sidecar: UkiReference['sidecar'], known?: UkiReference): UkiReference {
  const image = imageOf(booted, file);
  const loose = untied(image.commandLine, sidecar);
  if (loose !== null) throw notLearnt(loose);
  const others = known?.bank === booted.bank && known.sidecar === sidecar ? known.images.filter((each) => JSON.stringify(each) !== JSON.stringify(image)) : [];
  return { bank: booted.bank, sidecar, images: [...others, image] };
}

function imageOf({ log, bank, quoted }: Booted & { readonly log: BootLog }, file: PeImage): UkiImage {
  const missing = UKI_PCRS.filter((pcr) => !quoted.has(pcr));
  if (missing.length > 0) throw notLearnt(`PCR ${missing.join(', ')} was not quoted`);
  const explained = new Set(compare(log, bank, quoted).filter(({ standing }) => standing === 'replayed').map(({ pcr }) => pcr));
  const started = explained.has(STARTED_PCR) ? startedImages(log, bank) : [];
  if (!started.includes(file.authenticode(bank).toString('hex'))) throw notLearnt('PCR 4 does not say that this file was started');
  const sections = readUki(log, bank, explained);
  if (phasesOf(bank, sections, quoted.get(UKI_PCR)!) === null) throw notLearnt('PCR 11 holds other things than the sections of an image');
  const image = { started, sections, commandLine: commandLineOf(sections.map((section) => inFile(file, section, bank))) };
  if (!isCommandLine(bank, image)) throw notLearnt('its command line ends in another way than with a line end or a NUL');
  return image;
}

function inFile({ sections }: PeImage, { name, digest }: UkiImage['sections'][number], bank: HashAlg): PeSection {
  const held = sections.find((each) => each.name === name && hashWith(bank, each.data).toString('hex') === digest);
  if (held === undefined) throw notLearnt(`the section ${name} that was measured is not that of this file`);
  return held;
}

function commandLineOf(sections: readonly PeSection[]): string | null {
  const held = sections.find(({ name }) => name === '.cmdline');
  if (held === undefined) return null;
  const line = held.data.toString('utf8').replace(/\n?\0?$/, '');
  if (!/^[^\u0000-\u001f\u007f]{1,4096}$/.test(line)) throw notLearnt('its command line is no line of text');
  return line;
}
