/** Which of the measured files are good: by their digest, or by a signature. Only entries that a quote covers are asked. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { ImaPolicy } from '../../src/objects/reference.js';
import type { ImaEntry } from './list.js';
import { type Signers, isSigned, signersOf } from './signature.js';
import { digestOf, pathOf } from './template.js';

/** `sidecar`: each of the sidecar's own files was measured, and nothing but good contents of it. What tier T3 rests on. */
export interface ImaVerdict { readonly findings: readonly Finding[]; readonly violations: number; readonly sidecar: boolean }

/** More findings of one kind say no more. */
const MAX_FINDINGS = 16;
type Standing = 'listed' | 'signed' | 'changed' | 'unknown';

/** @param entries covered by a quote. @throws Fault config.invalid for a signer that is no key */
export function judgeIma(entries: readonly ImaEntry[], policy: ImaPolicy): ImaVerdict {
  const files = new Map(policy.files.map(({ path, digests }) => [path, new Set(digests)]));
  const signers = signersOf(policy.signers);
  const attested = entries.filter(({ violation }) => !violation);
  const judged = attested.map((entry) => ({ path: (entry.fields === null ? null : pathOf(entry.fields)) ?? '', entry, standing: standingOf(entry, files, signers) }));
  const violations = entries.length - attested.length;
  const bad = judged.filter(({ standing, path }) => path !== AGGREGATE && (standing === 'changed' || (standing === 'unknown' && policy.closed)));
  return {
    violations,
    findings: [
      ...bad.slice(0, MAX_FINDINGS).map(({ path, standing, entry }) => finding('ima.policy', { path: shown(path), what: `entry ${entry.n} ${standing === 'changed' ? 'has another digest' : 'is neither listed nor signed'}` })),
      ...(violations > policy.maxViolations ? [finding('ima.violation', { count: violations, max: policy.maxViolations })] : []),
    ],
    sidecar: policy.sidecar.length > 0 && violations <= policy.maxViolations && policy.sidecar.every((path) => isWhollyGood(judged.filter((each) => each.path === path))),
  };
}

/** The first entry of every list: the hash of PCRs 0 to 7 (and 8, 9), which the quote itself shows. */
const AGGREGATE = 'boot_aggregate';
const isWhollyGood = (entries: readonly { standing: Standing }[]): boolean => entries.length > 0 && entries.every(({ standing }) => standing === 'listed' || standing === 'signed');

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
