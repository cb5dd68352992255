/** Which of the measured files are good: by their digest, or by a signature. Only entries that a quote covers are asked. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { ImaPolicy } from '../../src/objects/reference.js';
import type { ImaEntry } from './list.js';
import { type Signers, isSigned, signersOf } from './signature.js';
import { digestOf, pathOf } from './template.js';

/** `sidecar`: each of the sidecar's own files was measured, and nothing but good contents of it. What tier T3 rests on. */
export interface ImaVerdict { readonly findings: readonly Finding[]; readonly violations: number; readonly sidecar: boolean }

/** What was judged of a list so far: all that a verdict needs of the entries, so that the next ones alone are looked at. */
export interface ImaJudged {
  /** Of files, at most {@link MAX_FINDINGS}. */
  readonly findings: readonly Finding[];
  readonly violations: number;
  /** The sidecar's own files that were measured: false once with contents that are not good. */
  readonly sidecar: ReadonlyMap<string, boolean>;
}
export const NOTHING_JUDGED: ImaJudged = { findings: [], violations: 0, sidecar: new Map() };

/** More findings of one kind say no more. */
const MAX_FINDINGS = 16;
type Standing = 'listed' | 'signed' | 'changed' | 'unknown';

interface Rules { readonly files: ReadonlyMap<string, ReadonlySet<string>>; readonly signers: Signers; readonly own: ReadonlySet<string> }

/** A policy of thousands of files is made ready once, not for each ten entries. */
const ready = new WeakMap<ImaPolicy, Rules>();

function rulesOf(policy: ImaPolicy): Rules {
  const rules = ready.get(policy) ?? { files: new Map(policy.files.map(({ path, digests }) => [path, new Set(digests)])), signers: signersOf(policy.signers), own: new Set(policy.sidecar) };
  ready.set(policy, rules);
  return rules;
}

/** @param entries covered by a quote. @throws Fault config.invalid for a signer that is no key */
export const judgeIma = (entries: readonly ImaEntry[], policy: ImaPolicy): ImaVerdict => verdictOf(judgeMore(NOTHING_JUDGED, entries, policy), policy);

/** Goes on with the entries that follow those that were judged, under the same policy. @throws Fault config.invalid for a signer that is no key */
export function judgeMore(before: ImaJudged, entries: readonly ImaEntry[], policy: ImaPolicy): ImaJudged {
  const { files, signers, own } = rulesOf(policy);
  const findings = [...before.findings];
  const sidecar = new Map(before.sidecar);
  let { violations } = before;
  for (const entry of entries) {
    if (entry.violation) { violations++; continue; }
    const path = (entry.fields === null ? null : pathOf(entry.fields)) ?? '';
    const standing = standingOf(entry, files, signers);
    const isGood = standing === 'listed' || standing === 'signed';
    if (own.has(path)) sidecar.set(path, isGood && sidecar.get(path) !== false);
    if (isGood || path === AGGREGATE || (standing === 'unknown' && !policy.closed) || findings.length === MAX_FINDINGS) continue;
    findings.push(finding('ima.policy', { path: shown(path), what: `entry ${entry.n} ${standing === 'changed' ? 'has another digest' : 'is neither listed nor signed'}` }));
  }
  return { findings, violations, sidecar };
}

export function verdictOf({ findings, violations, sidecar }: ImaJudged, policy: ImaPolicy): ImaVerdict {
  const tooMany = violations > policy.maxViolations;
  return {
    violations,
    findings: [...findings, ...(tooMany ? [finding('ima.violation', { count: violations, max: policy.maxViolations })] : [])],
    sidecar: policy.sidecar.length > 0 && !tooMany && policy.sidecar.every((path) => sidecar.get(path) === true),
  };
}

/** The first entry of every list: the hash of PCRs 0 to 7 (and 8, 9), which the quote itself shows. */
const AGGREGATE = 'boot_aggregate';

function standingOf({ fields }: ImaEntry, files: ReadonlyMap<string, ReadonlySet<string>>, signers: Signers): Standing {
  const measured = fields === null ? null : digestOf(fields);
  if (fields === null || measured === null) return 'unknown';
  const listed = files.get(pathOf(fields) ?? '');
  if (listed?.has(`${measured.kind === 'verity' ? 'verity:' : ''}${measured.alg}:${measured.digest.toString('hex')}`) === true) return 'listed';
  if (signers.size > 0 && isSigned(fields, signers)) return 'signed';
  return listed === undefined ? 'unknown' : 'changed';
}

/** A path is the adversary's: it never stands raw in a finding. */
const shown = (path: string): string => path.slice(0, 128).replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, '?');
