/** Boot logs and IMA lists: what they replay to, and how much of them a quote covers. */
import { HASH_SIZE, type AttestOf, type HashAlg } from '@ari-sidecar/tpm2';
import { createHash } from 'node:crypto';
import { equal } from '../../src/base/bytes.js';
import { type BootLog, type BootState, MEASUREMENT_REGISTERS, type Pcrs, type SecureBootReading, parseBootLog, readBoot, readCcSecureBoot, replay } from '../boot/index.js';
import { EXTENSIONS, type Extension, IMA_PCR, type ImaEntry, extensionOf, formatOf, parseIma, replayIma } from '../ima/index.js';
import { extended } from '../hashes.js';
import type { PcrTable } from './quote.js';

const table = (pcrs: Pcrs): Record<string, string> => Object.fromEntries([...pcrs].sort(([a], [b]) => a - b).map(([pcr, value]) => [String(pcr), value.toString('hex')]));

export interface EventLogReport { readonly events: number; readonly startupLocality: number | null; readonly trailingBytes: number; readonly pcrs: PcrTable; /** Of a CC event log only: its registers by their names in TDX, and whether Secure Boot was on; null when that is not told. */ readonly cc?: { readonly registers: Record<string, string>; readonly secureBoot: boolean | null } }

/** @throws Fault boot.* */
export function inspectEventLog(file: Buffer): { log: BootLog; report: EventLogReport } {
  const log = parseBootLog(file);
  const pcrs = Object.fromEntries(log.banks.map((bank) => [bank, table(replay(log, bank))]));
  return { log, report: { events: log.events.length, startupLocality: log.startupLocality, trailingBytes: log.trailingBytes, pcrs, ...(log.registers === 'mr' ? { cc: ccOf(log) } : {}) } };
}

const bankOf = (log: BootLog): HashAlg => (['sha256', 'sha384', 'sha1'] as const).find((each) => log.banks.includes(each)) ?? log.banks[0] ?? 'sha256';

function ccOf(log: BootLog): NonNullable<EventLogReport['cc']> {
  const bank = bankOf(log);
  const registers = [...replay(log, bank)].sort(([a], [b]) => a - b).map(([mr, value]) => [MEASUREMENT_REGISTERS[mr]?.tdx ?? `MR ${mr}`, value.toString('hex')]);
  const reading: SecureBootReading = readCcSecureBoot(log, bank);
  return { registers: Object.fromEntries(registers) as Record<string, string>, secureBoot: reading.known ? reading.state.enabled : null };
}

/** What the log would prove if the registers were what it replays to. For people who look at a log; a verifier asks {@link readBoot} with quoted values. */
export function supposedState(log: BootLog): BootState {
  const bank = bankOf(log);
  const state = readBoot(log, bank, replay(log, bank));
  if (log.registers === 'pcr') return state;
  const shared = 'which events behind the separator of MR 1 are authorities: boot variables are measured into it too';
  return { ...state, secureBoot: readCcSecureBoot(log, bank), commandLines: [], uki: [], untrusted: [...state.untrusted.map((each) => each.replace('PCR', 'MR')), shared] };
}

export interface ImaReport { readonly entries: number; readonly violations: number; readonly pcrs: PcrTable; readonly quoted?: number | null }
const IMA_BANKS = ['sha1', 'sha256', 'sha384', 'sha512'] as const;

/** @throws Fault ima.* */
export function inspectIma(file: Buffer): { entries: ImaEntry[]; report: ImaReport } {
  const entries = parseIma(formatOf(file), file);
  const pcrs = Object.fromEntries(IMA_BANKS.map((bank) => [bank, table(replayIma(entries, bank, 'own'))]));
  return { entries, report: { entries: entries.length, violations: entries.filter(({ violation }) => violation).length, pcrs } };
}

/**
 * The number of entries that a quote covers, or null when no part of the list fits it.
 * @param known values of the other quoted PCRs: from a file, or replayed from the boot log
 */
export function coveredBy(entries: readonly ImaEntry[], { attested: { pcrSelect, pcrDigest } }: AttestOf<'quote'>, known: PcrTable): number | null {
  const hash = (['sha256', 'sha1', 'sha384', 'sha512'] as const).find((each) => HASH_SIZE[each] === pcrDigest.length);
  const banks = pcrSelect.filter(({ pcrs }) => pcrs.includes(IMA_PCR)).map((selection) => selection.hash);
  if (hash === undefined || banks.length === 0) return null;
  const values = pcrSelect.flatMap(({ hash: bank, pcrs }) => pcrs.map((pcr) => ({ bank, pcr, value: Buffer.from(known[bank]?.[String(pcr)] ?? '', 'hex') })));
  const fits = (pcr10: ReadonlyMap<HashAlg, Buffer>): boolean =>
    equal(createHash(hash).update(Buffer.concat(values.map(({ bank, pcr, value }) => (pcr === IMA_PCR ? pcr10.get(bank)! : value.length > 0 ? value : Buffer.alloc(HASH_SIZE[bank]))))).digest(), pcrDigest);
  return waysOf(banks).map((ways) => prefixThatFits(entries, ways, fits)).find((count) => count !== null) ?? null;
}

type Ways = readonly (readonly [bank: HashAlg, how: Extension])[];
/** Each bank by its own hash or by padded SHA-1: at most four banks, so at most sixteen ways. */
function waysOf(banks: readonly HashAlg[]): Ways[] {
  return banks.slice(0, IMA_BANKS.length).reduce<Ways[]>((all, bank) => all.flatMap((ways) => EXTENSIONS.map((how) => [...ways, [bank, how] as const])), [[]]);
}

function prefixThatFits(entries: readonly ImaEntry[], ways: Ways, fits: (pcr10: ReadonlyMap<HashAlg, Buffer>) => boolean): number | null {
  const pcr10 = new Map<HashAlg, Buffer>(ways.map(([bank]) => [bank, Buffer.alloc(HASH_SIZE[bank])]));
  if (fits(pcr10)) return 0;
  for (const [i, entry] of entries.entries()) {
    if (entry.pcr === IMA_PCR) for (const [bank, how] of ways) pcr10.set(bank, extended(bank, pcr10.get(bank)!, extensionOf(entry, bank, how)));
    if (fits(pcr10)) return i + 1;
  }
  return null;
}
