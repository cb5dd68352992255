/**
 * What firmware, loaders and kernel measured, held against the quoted PCRs and the policy. The quote is authentic when this is asked; the logs are not, until
 * they give its values. Everything is judged and gathered: each thing that does not hold is a finding. A log that is absent proves nothing here, and is missed by
 * {@link policyFindings} where policy asks for it.
 */
import { fromB64u } from '../../src/base/bytes.js';
import { type Finding, finding } from '../../src/base/fault.js';
import type { Policy } from '../../src/objects/decision.js';
import type { MeasuredBy, TrustVector } from '../../src/objects/ear.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { type BootLog, type BootState, type Pcrs, contradictions, differences, holdsKernel, parseBootLog, readBoot } from '../boot/index.js';
import type { ImaStanding } from '../ima/index.js';
import { type Files, judgeFiles } from './files.js';
import { untilRefused } from './refusal.js';

export interface Measured {
  readonly findings: readonly Finding[];
  /** What may be claimed because it was shown. */
  readonly claims: TrustVector;
  /** Null when no replayed log tells it. */
  readonly secureBoot: boolean | null;
  /**
   * Tier T3 unless `self`: PCRs 0 to 7 are what the log gives, Secure Boot is on, nothing of boot or files is other than policy says, and the sidecar's own files
   * were measured: by IMA, each one, under a kernel that policy names, or as a part of a unified kernel image.
   */
  readonly measuredBy: MeasuredBy;
  /** Where the IMA list stands now; null when none was shown. */
  readonly ima: ImaStanding | null;
}

const FIRMWARE_PCRS = [0, 1, 2, 3, 4, 5, 6, 7];

/** @param known where the IMA list stood when a part of it was last shown */
export function judgeMeasured(evidence: PlatformEvidence, policy: Policy, known: ImaStanding | null): Measured {
  const { quote, boot } = evidence;
  const pcrs: Pcrs = new Map(Object.entries(quote.pcrs).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')]));
  const booted = judgeBoot(boot, quote.bank, pcrs, policy);
  const files = judgeFiles(evidence, pcrs, policy, known);
  const atStage = (findings: readonly Finding[]): Finding[] =>
    (policy.stage === 'enforce' ? [...findings] : policy.stage === 'shadow' ? findings.map(({ message }) => finding('boot.shadow', { what: message })) : []);
  return {
    findings: [...booted.broken, ...files.broken, ...atStage([...booted.differing, ...files.differing])],
    claims: booted.sound ? { configuration: 2, ...(policy.bootReference === undefined || booted.differing.length > 0 ? {} : { executables: 3 }) } : {},
    secureBoot: booted.secureBoot,
    measuredBy: booted.sound && booted.differing.length === 0 ? measuredBy(files, policy) : 'self',
    ima: files.standing,
  };
}

/** IMA says most, under a kernel that policy knows: which files ran. A unified image says nothing of a machine whose files are not as policy says. */
const measuredBy = ({ sidecar, broken, differing }: Files, policy: Policy): MeasuredBy =>
  (sidecar && holdsKernel(policy) ? 'ima' : policy.uki !== undefined && broken.length === 0 && differing.length === 0 ? 'uki' : 'self');

interface Booted { readonly broken: Finding[]; readonly differing: readonly Finding[]; readonly secureBoot: boolean | null; readonly sound: boolean }

/** `broken`: evidence that does not hold. `differing`: evidence that holds and is not as the reference says. */
function judgeBoot(boot: PlatformEvidence['boot'], bank: PlatformEvidence['quote']['bank'], pcrs: Pcrs, policy: Policy): Booted {
  const differing = (log: BootLog | null): readonly Finding[] => differences({ log, bank, quoted: pcrs }, policy);
  if (boot === null) return { broken: [], differing: differing(null), secureBoot: null, sound: false };
  const read = untilRefused(() => parseBootLog(fromB64u(boot.data) ?? Buffer.alloc(0)));
  if (!read.ok) return { broken: [read.refusal], differing: differing(null), secureBoot: null, sound: false };
  const state = readBoot(read.value, bank, pcrs);
  const secureBoot = state.secureBoot.known ? state.secureBoot.state.enabled : null;
  const broken = brokenBoot(state, policy);
  const replayed = new Set(state.pcrs.filter(({ standing }) => standing === 'replayed').map(({ pcr }) => pcr));
  return { broken, differing: differing(read.value), secureBoot, sound: broken.length === 0 && secureBoot === true && FIRMWARE_PCRS.every((pcr) => replayed.has(pcr)) };
}

function brokenBoot(state: BootState, { requireBootLog }: Policy): Finding[] {
  const lies = contradictions(state).map(({ pcr, standing }) => finding('boot.replay', { pcr, what: standing === 'other' ? 'it was extended, and no event says so' : 'its events give another value' }));
  if (!requireBootLog || lies.length > 0) return lies;
  const { secureBoot } = state;
  return secureBoot.known && secureBoot.state.enabled ? [] : [finding('boot.secure_boot', { what: secureBoot.known ? 'it is off' : secureBoot.why })];
}
