/** What the events of a log make of the PCRs, and whether that is what was quoted. */
import { HASH_SIZE, type HashAlg } from '@ari-sidecar/tpm2';
import { extended } from '../hashes.js';
import { EV } from './events.js';
import type { BootEvent, BootLog } from './log.js';
import { QUIRKS, type Quirk } from './quirks.js';

/** PCR values by number. */
export type Pcrs = ReadonlyMap<number, Buffer>;

/** An EV_NO_ACTION event informs, it is never extended (section 10.4.1); PCR FFFFFFFF is none. */
const isExtended = ({ pcr, type }: BootEvent): boolean => type !== EV.noAction && pcr < 24;

/** The events that were extended into one PCR of a bank, in order. An event without a digest for the bank was not extended into it. */
export const eventsOf = (log: BootLog, bank: HashAlg, pcr: number): BootEvent[] => log.events.filter((event) => event.pcr === pcr && isExtended(event) && event.digests[bank] !== undefined);

/** PCR 0 begins with the locality of TPM2_Startup; H-CRTM measures before it, which is locality 4 (Part 1 section 34.2, section 10.4.5.3 of the profile). */
function startOf(log: BootLog, bank: HashAlg, pcr: number): Buffer {
  const start = Buffer.alloc(HASH_SIZE[bank]);
  const hcrtm = log.events.some(({ type }) => type === EV.efiHcrtmEvent);
  if (pcr === 0) start[start.length - 1] = log.startupLocality ?? (hcrtm ? 4 : 0);
  return start;
}

const extendAll = (bank: HashAlg, start: Buffer, digests: readonly Buffer[]): Buffer => digests.reduce((value, digest) => extended(bank, value, digest), start);

/** Every PCR that the log extends in this bank. */
export function replay(log: BootLog, bank: HashAlg): Pcrs {
  const values = new Map<number, Buffer>();
  for (const event of log.events) {
    const digest = event.digests[bank];
    if (isExtended(event) && digest !== undefined) values.set(event.pcr, extended(bank, values.get(event.pcr) ?? startOf(log, bank, event.pcr), digest));
  }
  return values;
}

/**
 * How a quoted PCR stands to the log. `replayed`: exactly the log's events. `initial`: no events, and never extended. `other`: no events, yet extended, so by
 * something else (IMA, the operating system). `differs`: the events do not give this value.
 */
export type Standing = 'replayed' | 'initial' | 'other' | 'differs';
export interface PcrVerdict {
  readonly pcr: number;
  readonly standing: Standing;
  readonly quoted: Buffer;
  /** What the log gives, when it says anything about this PCR. */
  readonly expected: Buffer | null;
  /** The known fault of firmware that had to be assumed. */
  readonly quirk: string | null;
}

/** DRTM PCRs are all ones until a dynamic launch (Platform Firmware Profile section 3.3.1, table of PCR initial values). */
const isInitial = (pcr: number, value: Buffer): boolean => value.every((byte) => byte === 0) || (pcr >= 17 && pcr <= 22 && value.every((byte) => byte === 0xff));

/** One verdict for each quoted PCR, in their order. Quirks are tried only where the plain replay fails, each alone. */
export function compare(log: BootLog, bank: HashAlg, quoted: Pcrs): PcrVerdict[] {
  const values = replay(log, bank);
  return [...quoted].map(([pcr, value]): PcrVerdict => {
    const expected = values.get(pcr) ?? null;
    const verdict = (standing: Standing, quirk: string | null = null): PcrVerdict => ({ pcr, standing, quoted: value, expected, quirk });
    if (expected === null) return verdict(isInitial(pcr, value) ? 'initial' : 'other');
    if (expected.equals(value)) return verdict('replayed');
    const quirk = quirkOf(log, bank, pcr, value);
    return quirk === null ? verdict('differs') : verdict('replayed', quirk);
  });
}

function quirkOf(log: BootLog, bank: HashAlg, pcr: number, quoted: Buffer): string | null {
  const digests = eventsOf(log, bank, pcr).map((event) => event.digests[bank]!);
  const explains = ({ locality, appended = [] }: Quirk): boolean => {
    const start = startOf(log, bank, pcr);
    if (locality !== undefined) start[start.length - 1] = locality;
    return extendAll(bank, start, [...digests, ...appended.map((event) => event(bank))]).equals(quoted);
  };
  return QUIRKS.find((quirk) => quirk.pcr === pcr && (quirk.locality === undefined || log.startupLocality === null) && explains(quirk))?.name ?? null;
}
