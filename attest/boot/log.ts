/**
 * A boot event log as the firmware wrote it: TCG PC Client Platform Firmware Profile section 10. Two formats: TCG_PCR_EVENT (SHA-1 only) and, when the
 * first event is a "Spec ID Event03", TCG_PCR_EVENT2 with a digest per bank. A CC event log (CCEL) has the second format, with measurement registers for
 * PCRs. Nothing in a log is true by itself: {@link replay} and the quote say how much of it is.
 */
import { HASH_SIZE, type HashAlg } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import { Cursor } from '../cursor.js';
import { EV } from './events.js';
import { type Bank, SPEC_ID, readSpecId } from './specid.js';

export interface BootEvent {
  readonly n: number;
  /** Where it stands in the log. */
  readonly at: number;
  readonly pcr: number;
  readonly type: number;
  readonly digests: Readonly<Partial<Record<HashAlg, Buffer>>>;
  readonly data: Buffer;
}

export interface BootLog {
  readonly format: 'tcg-sha1' | 'tcg-agile';
  /** What an event's index means: a PCR, or a measurement register of a confidential machine (UEFI section 38.4.1). Firmware says it by the index of the first event, 0 or 1. */
  readonly registers: 'pcr' | 'mr';
  /** The banks whose hash is known here. */
  readonly banks: readonly HashAlg[];
  /** The first event of an agile log counts too. */
  readonly events: readonly BootEvent[];
  /** As the log says it; null when it says nothing. */
  readonly startupLocality: number | null;
  /** Bytes behind the last event: padding of the firmware's buffer, or what an operating system appended for itself. */
  readonly trailingBytes: number;
}

/** The largest real logs have some hundred events and 64 KiB, padded. */
export const BOOT_LIMITS = { bytes: 16_777_216, events: 100_000 };

/** PCR index of what concerns no PCR. */
const NO_PCR = 0xffffffff;
/** PCR index and type: what is shorter than this is no event that was cut off. */
const HEAD_BYTES = 8;

/**
 * The whole log, or none of it.
 * @throws Fault boot.malformed with the byte, boot.too_large
 */
export function parseBootLog(bytes: Uint8Array): BootLog {
  if (bytes.length > BOOT_LIMITS.bytes) throw fault('boot.too_large', { size: bytes.length, max: BOOT_LIMITS.bytes });
  const cursor = new Cursor(bytes, 'boot.malformed');
  const first = readSha1Event(cursor, 0);
  const banks = isSpecId(first) ? readSpecId(first.data, first.at + 32) : null;
  const events = [first];
  while (!isEnd(cursor, banks !== null)) {
    if (events.length === BOOT_LIMITS.events) throw fault('boot.too_large', { size: events.length, max: BOOT_LIMITS.events });
    events.push(banks === null ? readSha1Event(cursor, events.length) : readAgileEvent(cursor, events.length, banks));
  }
  return {
    format: banks === null ? 'tcg-sha1' : 'tcg-agile', registers: banks !== null && first.pcr === 1 ? 'mr' : 'pcr',
    banks: banks === null ? ['sha1'] : banks.flatMap(({ hash }) => (hash === null ? [] : [hash])),
    events, startupLocality: banks === null ? null : localityOf(events), trailingBytes: cursor.left,
  };
}

const isSpecId = ({ type, data }: BootEvent): boolean => type === EV.noAction && data.subarray(0, SPEC_ID.length).equals(SPEC_ID);

/** TCG_PCR_EVENT, section 10.2.1. */
function readSha1Event(cursor: Cursor, n: number): BootEvent {
  const at = cursor.pos;
  const pcr = cursor.u32('the PCR index');
  const type = cursor.u32('the event type');
  const sha1 = cursor.take(HASH_SIZE.sha1, 'the digest');
  return { n, at, pcr, type, digests: { sha1 }, data: cursor.sized('the event') };
}

/** TCG_PCR_EVENT2, section 10.2.2. Firmware may leave out a bank; it never names one twice, nor one that its Spec ID does not declare. */
function readAgileEvent(cursor: Cursor, n: number, banks: readonly Bank[]): BootEvent {
  const at = cursor.pos;
  const pcr = cursor.u32('the PCR index');
  const type = cursor.u32('the event type');
  const count = cursor.u32('the count of digests');
  if (count === 0 || count > banks.length) cursor.fail(`${count} digests where ${banks.length} banks are declared`, cursor.pos - 4);
  const digests: Partial<Record<HashAlg, Buffer>> = {};
  const seen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const alg = cursor.u16('a digest algorithm');
    const bank = banks.find((each) => each.alg === alg) ?? cursor.fail(`digest algorithm 0x${alg.toString(16)} is not declared`, cursor.pos - 2);
    if (seen.has(alg)) cursor.fail(`two digests of algorithm 0x${alg.toString(16)}`, cursor.pos - 2);
    seen.add(alg);
    const digest = cursor.take(bank.size, 'a digest');
    if (bank.hash !== null) digests[bank.hash] = digest;
  }
  return { n, at, pcr, type, digests, data: cursor.sized('the event') };
}

/**
 * Is this the end of the events? Firmware pads its buffer with FF or 00; Windows appends to a SHA-1 log what concerns no PCR; and what is too short to be
 * the head of an event is none. All of it is counted, none is believed.
 */
function isEnd(cursor: Cursor, agile: boolean): boolean {
  if (cursor.left < HEAD_BYTES) return true;
  const pcr = cursor.bytes.readUInt32LE(cursor.pos);
  if (pcr === NO_PCR) return !agile || isPadding(cursor, 0xff);
  return agile && pcr === 0 && isPadding(cursor, 0);
}

const isPadding = ({ bytes, pos }: Cursor, byte: number): boolean => bytes[pos + 4] === byte && bytes.subarray(pos).every((each) => each === byte);

const LOCALITY = Buffer.from('StartupLocality\0', 'latin1');
/**
 * TCG_EfiStartupLocalityEvent, section 10.4.5.3: in which locality TPM2_Startup was sent. It is what PCR 0 begins with. Agile logs only: the SHA-1 format
 * is that of TPM 1.2, where PCR 0 begins with zeros; a TPM 2.0 with a log in it is recognised as a quirk.
 */
function localityOf(events: readonly BootEvent[]): number | null {
  const told = events.find(({ pcr, type, data }) => pcr === 0 && type === EV.noAction && data.length === LOCALITY.length + 1 && data.subarray(0, -1).equals(LOCALITY));
  return told === undefined ? null : told.data.at(-1)!;
}
