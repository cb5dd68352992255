/** What a boot log proves together with a quote, and what in it nobody vouches for. */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { hashWith } from '../hashes.js';
import type { BootLog } from './log.js';
import { type PcrVerdict, type Pcrs, compare } from './replay.js';
import { type SecureBootReading, readSecureBoot } from './secureboot.js';
import { type CommandLine, type UkiSection, readCommandLines, readUki } from './system.js';

export interface BootState {
  readonly bank: HashAlg;
  readonly pcrs: readonly PcrVerdict[];
  readonly secureBoot: SecureBootReading;
  readonly commandLines: readonly CommandLine[];
  readonly uki: readonly UkiSection[];
  /** What of the log is covered by no signature, in words: never to be decided on. */
  readonly untrusted: readonly string[];
}

/** Firmware's PCRs: what is extended there and not logged cannot be explained by an operating system. */
const FIRMWARE_PCRS = 8;

/** PCRs that contradict the log. */
export const contradictions = ({ pcrs }: Pick<BootState, 'pcrs'>): PcrVerdict[] =>
  pcrs.filter(({ pcr, standing }) => standing === 'differs' || (standing === 'other' && pcr < FIRMWARE_PCRS));

/** @param quoted values whose quote was verified, of one bank */
export function readBoot(log: BootLog, bank: HashAlg, quoted: Pcrs): BootState {
  const pcrs = compare(log, bank, quoted);
  const explained = new Set(pcrs.filter(({ standing }) => standing === 'replayed').map(({ pcr }) => pcr));
  return {
    bank, pcrs,
    secureBoot: secureBootOf(log, bank, explained),
    commandLines: readCommandLines(log, bank, explained), uki: readUki(log, bank, explained),
    untrusted: untrustedOf(log, bank, explained, pcrs),
  };
}

/** A CC event log has no PCR 7, and its measurement registers are not what a TPM quotes. */
function secureBootOf(log: BootLog, bank: HashAlg, explained: ReadonlySet<number>): SecureBootReading {
  if (log.registers === 'mr') return { known: false, why: 'it is a CC event log, which says nothing of PCRs' };
  return explained.has(7) ? readSecureBoot(log, bank) : { known: false, why: 'PCR 7 is not what the log says, or was not quoted' };
}

function untrustedOf(log: BootLog, bank: HashAlg, explained: ReadonlySet<number>, pcrs: readonly PcrVerdict[]): string[] {
  const loose = log.events.filter(({ pcr, digests, data }) => explained.has(pcr) && digests[bank] !== undefined && !hashWith(bank, data).equals(digests[bank])).length;
  const unquoted = new Set(log.events.filter(({ pcr }) => pcr < 24 && !explained.has(pcr)).map(({ pcr }) => pcr));
  return [
    'the types of all events',
    ...(loose > 0 ? [`the data of ${loose} events whose digest is of something else`] : []),
    ...(unquoted.size > 0 ? [`every event of PCR ${[...unquoted].sort((a, b) => a - b).join(', ')}`] : []),
    ...pcrs.filter(({ quirk }) => quirk !== null).map(({ pcr, quirk }) => `PCR ${pcr} was replayed with what no log says (${quirk})`),
    ...(log.trailingBytes > 0 ? [`${log.trailingBytes} bytes behind the last event`] : []),
  ];
}
