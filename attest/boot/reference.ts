/** Learning what a good machine measures, and saying of another boot what is different, in which PCR and at which event. */
import { HASH_SIZE, type HashAlg } from '@ari-sidecar/tpm2';
import { type Finding, finding } from '../../src/base/fault.js';
import type { Policy } from '../../src/objects/decision.js';
import type { BootReference, PcrReference } from '../../src/objects/reference.js';
import { typeName } from './events.js';
import type { BootEvent, BootLog } from './log.js';
import { type PcrVerdict, type Pcrs, compare, eventsOf } from './replay.js';

export interface Learnt { readonly reference: BootReference; /** PCRs that were quoted and not learnt: no log explains them. */ readonly left: readonly PcrVerdict[] }

const eventsOfReference = (log: BootLog, bank: HashAlg, pcr: number): PcrReference['events'] =>
  eventsOf(log, bank, pcr).map(({ digests, type }) => ({ digest: digests[bank]!.toString('hex'), type: typeName(type) }));

/** What a good machine measured: only PCRs whose quoted value the log explains. @param quoted values whose quote was verified */
export function learn(log: BootLog, bank: BootReference['bank'], quoted: Pcrs): Learnt {
  const verdicts = compare(log, bank, quoted);
  const pcrs = verdicts.filter(({ standing }) => standing === 'replayed')
    .map(({ pcr, quoted: value }): PcrReference => ({ pcr, values: [value.toString('hex')], events: eventsOfReference(log, bank, pcr) }));
  return { reference: { bank, pcrs }, left: verdicts.filter(({ standing }) => standing !== 'replayed' && standing !== 'initial') };
}

/** Both are good: while an update rolls out, some machines measure the old and some the new. @throws RangeError for another bank */
export function union(a: BootReference, b: BootReference): BootReference {
  if (a.bank !== b.bank) throw new RangeError(`references of banks ${a.bank} and ${b.bank} cannot be united`);
  const numbers = [...new Set([...a.pcrs, ...b.pcrs].map(({ pcr }) => pcr))].sort((x, y) => x - y);
  return { bank: a.bank, pcrs: numbers.map((pcr) => unionOf(pcr, [...a.pcrs, ...b.pcrs].filter((row) => row.pcr === pcr))) };
}

function unionOf(pcr: number, rows: readonly PcrReference[]): PcrReference {
  const events = new Map(rows.flatMap((row) => row.events).map((event) => [event.digest, event]));
  return { pcr, values: [...new Set(rows.flatMap(({ values }) => values))], events: [...events.values()] };
}

/** Where a kernel's command line is measured: by GRUB, by Linux' EFI stub, by systemd-stub. */
const COMMAND_LINE_PCRS = [8, 9, 12];

/**
 * Whether policy says which kernel runs, and with which command line. Only then is PCR 10 IMA's word: a kernel that measures nothing (`ima_policy=`) leaves PCR 10
 * to root, who extends it by the list of a good machine.
 */
export const holdsKernel = ({ bootReference, uki }: Pick<Policy, 'bootReference' | 'uki'>): boolean => {
  const held = new Set(bootReference?.pcrs.map(({ pcr }) => pcr));
  return uki !== undefined || (held.has(4) && COMMAND_LINE_PCRS.some((pcr) => held.has(pcr)));
};

/** `wouldFail`: every difference. `findings`: those that count at this stage of the policy; in shadow none do, they are only reported. */
export interface Judged { readonly findings: readonly Finding[]; readonly wouldFail: readonly Finding[] }

/** One finding per PCR of the reference that has none of its values. */
export function judge(log: BootLog | null, bank: HashAlg, quoted: Pcrs, reference: BootReference, stage: Policy['stage']): Judged {
  const wouldFail = stage === 'learn' ? [] : reference.pcrs.flatMap((row) => {
    const what = bank === reference.bank ? difference(log, bank, quoted, row) : `the reference is of the ${reference.bank} bank`;
    return what === null ? [] : [finding('boot.reference', { pcr: row.pcr, what })];
  });
  return { findings: stage === 'enforce' ? wouldFail : [], wouldFail };
}

/** Why a PCR is not as it was learnt, in words; null when it is. */
function difference(log: BootLog | null, bank: HashAlg, quoted: Pcrs, { pcr, values, events }: PcrReference): string | null {
  const value = quoted.get(pcr);
  if (value === undefined || value.length !== HASH_SIZE[bank]) return 'it was not quoted';
  if (values.includes(value.toString('hex'))) return null;
  const [verdict] = log === null ? [] : compare(log, bank, new Map([[pcr, value]]));
  if (log === null || verdict?.standing !== 'replayed') return 'its value is another, and no log explains it';
  return firstDifference(eventsOf(log, bank, pcr), events, bank);
}

function firstDifference(seen: readonly BootEvent[], learnt: PcrReference['events'], bank: HashAlg): string {
  const known = new Set(learnt.map(({ digest }) => digest));
  const foreign = seen.find(({ digests }) => !known.has(digests[bank]!.toString('hex')));
  if (foreign !== undefined) return `event ${foreign.n} (${typeName(foreign.type)}) was not learnt: ${foreign.digests[bank]!.toString('hex')}`;
  const measured = new Set(seen.map(({ digests }) => digests[bank]!.toString('hex')));
  const missing = learnt.find(({ digest }) => !measured.has(digest));
  return missing === undefined ? 'the same events in another order or number' : `an event that was learnt is missing (${missing.type}): ${missing.digest}`;
}
