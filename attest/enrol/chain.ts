/**
 * Path validation for endorsement certificates (RFC 5280 section 6.1; TCG EK Credential Profile section 3), offline: nothing that a certificate names is
 * ever fetched. The device sends the intermediates and may send any; only what leads to a pinned root counts.
 */
import { fault } from '../../src/base/fault.js';
import { type Certificate, type PinnedRoot, USAGE } from './certificate.js';

const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const EXT_KEY_USAGE = '2.5.29.37';
const SUBJECT_ALT_NAME = '2.5.29.17';
/** Critical extensions that are understood here. The SAN of an EK certificate holds the TPM's maker and model: it constrains nothing. */
const UNDERSTOOD = new Set([BASIC_CONSTRAINTS, KEY_USAGE, EXT_KEY_USAGE, SUBJECT_ALT_NAME]);
/** tcg-kp-EKCertificate. */
export const EK_PURPOSE = '2.23.133.8.1';
const HASHES = new Set(['SHA-256', 'SHA-384', 'SHA-512']);
const MAX_DEPTH = 6;

const refuse = (what: string): never => { throw fault('enrol.ek_chain', { what }); };

/**
 * The pinned root that an endorsement certificate leads to.
 * @throws Fault enrol.ek_chain naming the first rule that fails
 */
export function checkChain(ek: Certificate, intermediates: readonly Certificate[], roots: readonly PinnedRoot[], nowS: number): PinnedRoot {
  assertEndorsement(ek);
  assertSound(ek, nowS);
  return climb(ek, 0, intermediates, roots, nowS) ?? refuse('no path leads to a pinned root');
}

/** Depth-first over issuers by name and signature. `below`: how many CA certificates stand between `subject` and the EK, `subject` included. */
function climb(subject: Certificate, below: number, intermediates: readonly Certificate[], roots: readonly PinnedRoot[], nowS: number): PinnedRoot | null {
  const issues = (issuer: Certificate): boolean => issuer.subjectDer.equals(subject.issuerDer) && subject.signedBy(issuer.key);
  const root = roots.find(({ certificate }) => issues(certificate));
  if (root !== undefined) {
    assertIssuer(root.certificate, below, nowS);
    return root;
  }
  if (below >= MAX_DEPTH) return null;
  for (const issuer of intermediates) {
    if (issuer === subject || !issues(issuer)) continue;
    assertIssuer(issuer, below, nowS);
    const found = climb(issuer, below + 1, intermediates.filter((other) => other !== issuer), roots, nowS);
    if (found !== null) return found;
  }
  return null;
}

function assertSound(certificate: Certificate, nowS: number): void {
  if (nowS < certificate.notBefore || nowS > certificate.notAfter) refuse(`${nameOf(certificate)} is not valid at this time`);
  if (!HASHES.has(certificate.signatureHash)) refuse(`${nameOf(certificate)} is signed over ${certificate.signatureHash}`);
  const unknown = certificate.critical.find((id) => !UNDERSTOOD.has(id));
  if (unknown !== undefined) refuse(`${nameOf(certificate)} has a critical extension that is unknown here (${unknown})`);
}

/** @param below CA certificates already below this one */
function assertIssuer(issuer: Certificate, below: number, nowS: number): void {
  assertSound(issuer, nowS);
  if (issuer.basic?.ca !== true) refuse(`${nameOf(issuer)} is no certificate authority`);
  if (issuer.basic?.pathLength != null && issuer.basic.pathLength < below) refuse(`${nameOf(issuer)} may not have ${below} authorities below it`);
  if (issuer.usage !== null && (issuer.usage & USAGE.keyCertSign) === 0) refuse(`${nameOf(issuer)} may not sign certificates`);
}

/** A signing or CA certificate of the same maker is not an endorsement of a TPM. */
function assertEndorsement(ek: Certificate): void {
  if (ek.basic?.ca === true) refuse('the EK certificate is one of an authority');
  if (ek.purposes !== null && !ek.purposes.includes(EK_PURPOSE)) refuse('the EK certificate is for another purpose');
  const wanted = ek.key.asymmetricKeyType === 'rsa' ? USAGE.keyEncipherment : USAGE.keyAgreement;
  if (ek.usage !== null && (ek.usage & wanted) === 0) refuse('the EK certificate does not allow the use of an endorsement key');
}

const nameOf = (certificate: Certificate): string => (certificate.subject === '' ? 'the certificate' : `"${certificate.subject.slice(0, 120)}"`);
