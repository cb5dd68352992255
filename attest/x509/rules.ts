/** The rules of RFC 5280 section 6.1 that a certificate of a path must keep, each with its code. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { Certificate } from './certificate.js';
import { nameOutside, namesOf } from './constraints.js';
import { USAGE } from './extensions.js';
import { isEmpty } from './name.js';
import { BREACHES, type Oddity } from './oddities.js';

/** What the path is judged against. */
export interface Terms {
  readonly nowS: number;
  /** An extKeyUsage that every certificate of the path must allow, where it names any; null: not asked. */
  readonly purpose: string | null;
  /** Breaches of the profile that are not held against a certificate. */
  readonly tolerated: ReadonlySet<Oddity>;
}

const ANY_PURPOSE = '2.5.29.37.0';

/** What every certificate of a path must be, the anchor too. */
export function soundness(certificate: Certificate, { nowS, purpose, tolerated }: Terms): Finding | null {
  const { title, notBefore, notAfter, unknownCritical: [id], oddities, publicKey: { weak }, purposes, issuer } = certificate;
  if (nowS < notBefore || nowS > notAfter) return finding('cert.expired', { title });
  if (id !== undefined) return finding('cert.critical', { title, id });
  const breach = oddities.find((oddity) => BREACHES.has(oddity) && !tolerated.has(oddity));
  if (breach !== undefined) return finding('cert.profile', { title, oddity: breach });
  if (isEmpty(issuer)) return finding('cert.profile', { title, oddity: 'issuer-empty' });
  if (weak !== null) return finding('cert.weak', { title, what: weak });
  if (purpose !== null && purposes !== null && !purposes.includes(purpose) && !purposes.includes(ANY_PURPOSE)) return finding('cert.purpose', { title, what: `it does not allow ${purpose}` });
  return authorityFields(certificate);
}

/** Members that only an authority may have (RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.10). */
function authorityFields({ title, basic, usage, constraints }: Certificate): Finding | null {
  const wrong = (oddity: string): Finding => finding('cert.profile', { title, oddity });
  const mayCertify = usage === null || (usage & USAGE.keyCertSign) !== 0;
  if (basic?.ca !== true && constraints !== null) return wrong('name constraints without being an authority');
  if (basic?.ca !== true && basic !== null && basic.pathLength !== null) return wrong('a path length without being an authority');
  if (basic !== null && basic.pathLength !== null && !mayCertify) return wrong('a path length without the right to sign certificates');
  if (basic?.ca !== true && usage !== null && mayCertify) return wrong('the right to sign certificates without being an authority');
  return null;
}

/** What an issuer must be besides. `below`: authorities under it that are not self-issued. */
export function authority(issuer: Certificate, below: number, terms: Terms): Finding | null {
  const { title, basic, usage, subject } = issuer;
  const unsound = soundness(issuer, terms);
  if (unsound !== null) return unsound;
  if (basic?.ca !== true || (usage !== null && (usage & USAGE.keyCertSign) === 0)) return finding('cert.authority', { title });
  if (isEmpty(subject)) return finding('cert.profile', { title, oddity: 'subject-empty' });
  if (basic.pathLength !== null && basic.pathLength < below) return finding('cert.path_length', { title, below });
  return null;
}

/** A signature that may be relied on. An anchor's own is not looked at: it is pinned. */
export const signatureStrength = ({ title, algorithm: { scheme, name } }: Certificate): Finding | null => (scheme === null ? finding('cert.weak', { title, what: `it is signed with ${name}` }) : null);

/** Name constraints of each authority over everything below it, from the anchor down. Self-issued authorities between are excepted (6.1.3 (b)). */
export function constrained(path: readonly Certificate[]): Finding | null {
  for (const [i, { constraints }] of path.entries()) {
    if (constraints === null) continue;
    for (const [j, below] of path.slice(0, i).entries()) {
      if (j > 0 && below.selfIssued) continue;
      const name = nameOutside(namesOf(below), constraints);
      if (name !== null) return finding('cert.names', { title: below.title, name });
    }
  }
  return null;
}
