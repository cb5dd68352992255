/** What a finding means to a relying party: one table from code to AR4SI claim (draft-ietf-rats-ar4si), and the status that follows. */
import { CODES, type Code } from '../../src/codes.js';
import type { Finding } from '../../src/base/fault.js';
import { EAR_STATUSES, type EarStatus } from '../../src/names.js';
import type { Ar4si, TrustVector } from '../../src/objects/ear.js';
import type { Submodule } from '../types.js';

export type SubmoduleName = 'platform' | 'sidecar' | 'agent';
/** `value` null: a note. It is told, and lowers nothing, unless the policy gives it a value. */
interface Mark { readonly submodule: SubmoduleName; readonly claim: Ar4si; readonly value: number | null }
const mark = (submodule: SubmoduleName, claim: Ar4si, value: number | null): Mark => ({ submodule, claim, value });

/** 2..31 affirming, 32..95 warning, 96..127 contraindicated; 99: a cryptographic check failed. */
const MARKS: Partial<Record<Code, Mark>> = {
  'device.unknown': mark('platform', 'instance-identity', 97),
  'device.revoked': mark('platform', 'instance-identity', 96),
  'device.unchained': mark('platform', 'hardware', 32),
  'decision.simulated': mark('platform', 'hardware', 97),
  'quote.firmware': mark('platform', 'hardware', 96),
  'register.missing': mark('platform', 'configuration', 36),
  'ctr.missing': mark('platform', 'configuration', 36),
  'ctr.not_increased': mark('platform', 'instance-identity', 96),
  'clock.reset_decreased': mark('platform', 'instance-identity', 96),
  'clock.rewound': mark('platform', 'instance-identity', 96),
  'clock.sequence': mark('platform', 'instance-identity', 96),
  'boot.missing': mark('platform', 'configuration', 36),
  'boot.malformed': mark('platform', 'configuration', 96),
  'boot.too_large': mark('platform', 'configuration', 96),
  'boot.replay': mark('platform', 'configuration', 96),
  'boot.secure_boot': mark('platform', 'configuration', 96),
  'boot.reference': mark('platform', 'executables', 33),
  'boot.uki': mark('platform', 'executables', 33),
  'boot.shadow': mark('platform', 'executables', null),
  'ima.missing': mark('platform', 'executables', 33),
  'ima.malformed': mark('platform', 'executables', 96),
  'ima.too_large': mark('platform', 'executables', 96),
  'ima.gap': mark('platform', 'executables', 96),
  'ima.replay': mark('platform', 'executables', 96),
  'ima.policy': mark('platform', 'executables', 96),
  'ima.violation': mark('platform', 'executables', 33),
  'agent.version_not_authorised': mark('agent', 'executables', 96),
  'agent.manifest': mark('agent', 'executables', 96),
  'agent.exe_unknown': mark('agent', 'executables', 96),
  'agent.exe_replaced': mark('agent', 'executables', 96),
  'agent.foreign_mapping': mark('agent', 'executables', 96),
  'agent.traced': mark('agent', 'executables', 96),
  'agent.inspector': mark('agent', 'executables', 96),
  'agent.anonymous_code': mark('agent', 'executables', 33),
  'agent.env_risky': mark('agent', 'configuration', 96),
  'agent.drift': mark('agent', 'file-system', 32),
  'agent.changed_since_start': mark('agent', 'file-system', 96),
  'agent.code_patched': mark('agent', 'executables', 96),
  'agent.drifted': mark('agent', 'executables', 96),
  'agent.privileged': mark('agent', 'configuration', null),
  'agent.host_open': mark('agent', 'configuration', null),
  'agent.host_ptrace': mark('agent', 'configuration', null),
  'agent.host_lockdown': mark('agent', 'configuration', null),
  'agent.host_modules': mark('agent', 'configuration', null),
  'agent.host_tainted': mark('agent', 'configuration', null),
  'agent.new_privileges': mark('agent', 'configuration', null),
  'agent.unfiltered': mark('agent', 'configuration', null),
  'agent.unit': mark('agent', 'configuration', null),
  'agent.variables': mark('agent', 'configuration', null),
};
/** What a policy makes of notes: 32..95 warning, 96..127 contraindicated. */
export type NoteValues = ReadonlyMap<Code, number>;
const AS_NOTES: NoteValues = new Map();
/** What stands in no row is evidence that did not hold. */
const BROKEN_VALUE = 99;
const BROKEN = mark('platform', 'instance-identity', BROKEN_VALUE);
const markOf = (code: Code): Mark => MARKS[code] ?? BROKEN;
const valueOf = (code: Code, notes: NoteValues): number | null => markOf(code).value ?? notes.get(code) ?? null;
/** Whether a finding weighs where notes do as the policy says. */
export const weighing = (notes: NoteValues) => ({ code }: Finding): boolean => valueOf(code, notes) !== null;
/** False for notes. */
export const weighs = weighing(AS_NOTES);

export function statusOf(value: number): EarStatus {
  if (value >= -1 && value <= 1) return 'none';
  const size = value < 0 ? -value - 1 : value;
  return size < 32 ? 'affirming' : size < 96 ? 'warning' : 'contraindicated';
}

/** A whole is never better than its worst part. */
export const worst = (statuses: readonly EarStatus[]): EarStatus => EAR_STATUSES[Math.max(0, ...statuses.map((status) => EAR_STATUSES.indexOf(status)))]!;

const ORDER = new Map(Object.keys(CODES).map((code, i) => [code, i]));
/** In the order of the table of codes, each once: the first is the one that is named. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  if (findings.length < 2) return [...findings];
  const each = new Map(findings.map((finding) => [`${finding.code} ${finding.message}`, finding]));
  return [...each.values()].sort((a, b) => ORDER.get(a.code)! - ORDER.get(b.code)!);
}

const isWorse = (a: number, b: number | undefined): boolean => b === undefined || EAR_STATUSES.indexOf(statusOf(a)) > EAR_STATUSES.indexOf(statusOf(b)) || (statusOf(a) === statusOf(b) && a > b);

/** The claims that hold without findings, lowered by those that are there. */
export function submodule(name: SubmoduleName, claims: TrustVector, all: readonly Finding[], notes: NoteValues = AS_NOTES): Submodule {
  const findings = inOrder(all).filter(({ code }) => markOf(code).submodule === name);
  const vector: TrustVector = { ...claims };
  for (const { code } of findings) {
    const { claim } = markOf(code);
    const value = valueOf(code, notes);
    if (value !== null && isWorse(value, vector[claim])) vector[claim] = value;
  }
  return { status: worst(Object.values(vector).map(statusOf)), vector, findings };
}

/** Of evidence that is not authentic nothing holds. */
export const BROKEN_VECTOR: TrustVector = { 'instance-identity': BROKEN_VALUE };
