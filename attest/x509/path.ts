/**
 * Paths from a certificate to a pinned anchor: built from whatever candidates there are (RFC 4158) and validated (RFC 5280 section 6.1), offline: nothing
 * that a certificate names is ever fetched. Candidates come from the device and may be chosen to keep us busy, so that steps are counted.
 */
import { type Finding, finding } from '../../src/base/fault.js';
import { type Certificate, isSignedBy } from './certificate.js';
import { Issuers, type PinnedRoot } from './roots.js';
import { type Terms, authority, constrained, signatureStrength, soundness } from './rules.js';

export interface PathQuestion extends Terms {
  readonly leaf: Certificate;
  /** Candidates; nothing is believed of them. */
  readonly intermediates: readonly Certificate[];
  readonly anchors: readonly PinnedRoot[];
  /** At most so many authorities between; eight is more than any maker of TPMs has. */
  readonly maxIntermediates?: number;
  /** A last word on a path that holds otherwise: revocation lists. From the leaf to the anchor. */
  readonly revocation?: (path: readonly Certificate[]) => Finding | null;
}

export type PathAnswer =
  /** `path` from the leaf to the anchor. */
  | { readonly ok: true; readonly path: readonly Certificate[]; readonly root: PinnedRoot }
  /** Why the path that came furthest does not hold. */
  | { readonly ok: false; readonly finding: Finding };

const MAX_INTERMEDIATES = 8;
/** Candidates that are looked at: a signature check each, which is what costs. Honest paths need fewer than ten. */
export const MAX_STEPS = 128;

/** The first path that keeps all rules. */
export function findPath(question: PathQuestion): PathAnswer {
  const { leaf } = question;
  const itself = question.anchors.find(({ certificate }) => certificate.der.equals(leaf.der));
  const unsound = soundness(leaf, question) ?? (itself === undefined ? signatureStrength(leaf) : null);
  if (unsound !== null) return { ok: false, finding: unsound };
  return itself === undefined ? new Search(question).from([leaf]) : { ok: true, path: [leaf], root: itself };
}

class Search {
  private readonly question: PathQuestion;
  readonly #anchors: Issuers<PinnedRoot>;
  readonly #intermediates: Issuers<Certificate>;
  readonly #max: number;
  #steps = 0;
  #furthest: { depth: number; finding: Finding };

  constructor(question: PathQuestion) {
    this.question = question;
    this.#anchors = new Issuers(question.anchors, ({ certificate }) => certificate.subject);
    this.#intermediates = new Issuers(question.intermediates, ({ subject }) => subject);
    this.#max = question.maxIntermediates ?? MAX_INTERMEDIATES;
    this.#furthest = { depth: 0, finding: finding('cert.unchained', { title: question.leaf.title }) };
  }

  from(start: readonly [Certificate]): PathAnswer {
    const found = this.#climb(start);
    if (found !== null) return found;
    return { ok: false, finding: this.#steps > MAX_STEPS ? finding('cert.limit', { max: MAX_STEPS }) : this.#furthest.finding };
  }

  /** Depth first: anchors before intermediates, likely issuers before others. */
  #climb(path: readonly Certificate[]): PathAnswer | null {
    const subject = path.at(-1)!;
    for (const root of this.#anchors.of(subject)) {
      if (this.#mayIssue(root.certificate, path) && this.#holds([...path, root.certificate])) return { ok: true, path: [...path, root.certificate], root };
    }
    if (path.length > this.#max) return null;
    for (const issuer of byLikelihood(subject, this.#intermediates.of(subject))) {
      if (path.some((each) => isSameAuthority(each, issuer)) || !this.#mayIssue(issuer, path) || this.#refused(path, signatureStrength(issuer))) continue;
      const found = this.#climb([...path, issuer]);
      if (found !== null) return found;
    }
    return null;
  }

  #mayIssue(issuer: Certificate, path: readonly Certificate[]): boolean {
    if (++this.#steps > MAX_STEPS) return false;
    if (!isSignedBy(path.at(-1)!, issuer)) return false;
    const below = path.slice(1).filter(({ selfIssued }) => !selfIssued).length;
    return !this.#refused(path, authority(issuer, below, this.question));
  }

  #holds(path: readonly Certificate[]): boolean {
    return !this.#refused(path, constrained(path) ?? this.question.revocation?.(path) ?? null);
  }

  /** Remembers why, for the path that came furthest. */
  #refused({ length }: readonly Certificate[], why: Finding | null): boolean {
    if (why !== null && length > this.#furthest.depth) this.#furthest = { depth: length, finding: why };
    return why !== null;
  }
}

/** RFC 5280 section 6.1: one certificate may not stand in a path twice; the same name with the same key would only go round. */
const isSameAuthority = (a: Certificate, b: Certificate): boolean => a.der.equals(b.der) || (a.subject.der.equals(b.subject.der) && a.publicKey.spki.equals(b.publicKey.spki));

/** Those whose key identifier is the one that the certificate names come first; the identifiers are hints and prove nothing. */
function byLikelihood({ authorityKeyId }: Certificate, candidates: readonly Certificate[]): readonly Certificate[] {
  const wanted = authorityKeyId?.keyid;
  if (wanted == null || candidates.length < 2) return candidates;
  const matches = ({ subjectKeyId }: Certificate): boolean => subjectKeyId !== null && subjectKeyId.equals(wanted);
  return [...candidates.filter(matches), ...candidates.filter((each) => !matches(each))];
}
