/** A certificate (RFC 5280 section 4.1) as the facts that a path check asks for. Reading says nothing about whom to believe. */
import { createHash } from 'node:crypto';
import { type Der, TAG, inside, malformed, only } from './der.js';
import { type Extensions, ID, readExtensions } from './extensions.js';
import { type SubjectKey, readKey } from './key.js';
import { type Name, isEmpty, keyOf, nameText, readName, sameName } from './name.js';
import { Oddities, type Oddity } from './oddities.js';
import { integer, octetsOfBits, small, time } from './primitives.js';
import { type SignatureAlgorithm, readAlgorithm, verifies } from './signature.js';
import { unwrapNv } from './nv.js';

export interface Certificate extends Extensions {
  readonly der: Buffer;
  /** SHA-256 of `der`, lower-case hex. */
  readonly fingerprint: string;
  readonly version: number;
  /** Two's complement, lower-case hex. */
  readonly serial: string;
  readonly subject: Name;
  readonly issuer: Name;
  /** For people and logs: see {@link nameText}; never empty. */
  readonly title: string;
  /** Seconds since 1970, both included. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: SubjectKey;
  readonly algorithm: SignatureAlgorithm;
  readonly signed: Buffer;
  readonly signature: Buffer;
  readonly selfIssued: boolean;
  readonly oddities: readonly Oddity[];
}

/** The longest certificate that is read: genuine ones of TPMs stay below 2 KiB, those with many names are longer. */
export const MAX_CERTIFICATE = 256 * 1024;
/** 9999-12-31T23:59:59Z: RFC 5280 section 4.1.2.5 has it for "no well-defined end". */
const FOREVER = 253_402_300_799;

/** A certificate as DER or as it lies in a TPM's NV memory. @throws Fault cert.malformed */
export function readCertificate(bytes: Uint8Array): Certificate {
  const oddities = new Oddities();
  const der = unwrapNv(bytes, oddities);
  if (der.length > MAX_CERTIFICATE) malformed(0, `it has ${der.length} bytes, at most ${MAX_CERTIFICATE} are read`);
  const certificate = inside(only(der, 0, TAG.sequence, 'the certificate', oddities));
  const signedPart = certificate.take(TAG.sequence, 'what is signed');
  const outer = readAlgorithm(certificate.take(TAG.sequence, 'the signature algorithm'));
  const signature = octetsOfBits(certificate.take(TAG.bitString, 'the signature'));
  certificate.end('the certificate');
  const body = readSigned(signedPart);
  if (!outer.der.equals(body.algorithm.der)) malformed(signedPart.at, 'two signature algorithms that differ');
  noteProfile(body, oddities);
  const fingerprint = createHash('sha256').update(der).digest('hex');
  return { ...body, der, fingerprint, signed: signedPart.whole, signature, oddities: oddities.list() };
}

type Signed = Omit<Certificate, 'der' | 'fingerprint' | 'signed' | 'signature' | 'oddities'>;

function readSigned(der: Der): Signed {
  const reader = inside(der);
  const version = readVersion(reader.optional(0xa0, 'the version'));
  const serial = integer(reader.take(TAG.integer, 'the serial number')).toString('hex');
  const algorithm = readAlgorithm(reader.take(TAG.sequence, 'the signature algorithm'));
  const issuer = readName(reader.take(TAG.sequence, 'the issuer'));
  const validity = inside(reader.take(TAG.sequence, 'the validity'));
  const [notBefore, notAfter] = [time(validity.next('notBefore')), time(validity.next('notAfter'))];
  validity.end('the validity');
  const subject = readName(reader.take(TAG.sequence, 'the subject'));
  const publicKey = readKey(reader.take(TAG.sequence, 'the public key'));
  reader.optional(0x81, 'the unique id of the issuer');
  reader.optional(0x82, 'the unique id of the subject');
  const wrapper = reader.optional(0xa3, 'the extensions');
  reader.end('what is signed');
  if (wrapper !== null && version !== 3) malformed(wrapper.at, `extensions in version ${version}`);
  const extensions = readExtensions(wrapper && only(wrapper.body, wrapper.at, TAG.sequence, 'the extensions', wrapper.oddities));
  const title = isEmpty(subject) ? `certificate ${serial}` : nameText(subject);
  return { version, serial, algorithm, issuer, subject, title, notBefore, notAfter, publicKey, selfIssued: keyOf(subject) === keyOf(issuer), ...extensions };
}

function readVersion(der: Der | null): number {
  if (der === null) return 1;
  const version = small(only(der.body, der.at, TAG.integer, 'the version', der.oddities), 'the version') + 1;
  if (version === 1) der.oddities.add('default-encoded');
  return version <= 3 ? version : malformed(der.at, `version ${version}`);
}

/** What the certificate is without: facts for whoever judges it. */
function noteProfile(body: Signed, oddities: Oddities): void {
  const serial = Buffer.from(body.serial, 'hex');
  if (body.version !== 3) oddities.add('version-1');
  if (serial[0]! >= 0x80) oddities.add('serial-negative');
  if (serial.every((byte) => byte === 0) && !body.selfIssued) oddities.add('serial-zero');
  if (serial.length > 20 + (serial[0] === 0 ? 1 : 0)) oddities.add('serial-long');
  if (body.notAfter === FOREVER) oddities.add('validity-unbounded');
  if ((body.authorityKeyId?.keyid ?? null) === null && !body.selfIssued) oddities.add('aki-missing');
  if (body.subjectKeyId === null && body.basic?.ca === true) oddities.add('ski-missing');
  if (body.basic?.ca === true && body.all.get(ID.basicConstraints)?.critical === false) oddities.add('basic-constraints-not-critical');
  if (body.purposes === null && body.basic?.ca !== true) oddities.add('eku-missing');
  if (body.names === null && body.basic?.ca !== true) oddities.add('san-missing');
  if (body.basic === null) oddities.add('basic-constraints-missing');
  if (body.usage === null) oddities.add('key-usage-missing');
  if (isEmpty(body.subject)) oddities.add('subject-empty');
  if (isEmpty(body.subject) && body.names !== null && body.all.get(ID.subjectAltName)?.critical === false) oddities.add('san-not-critical');
}

/** Whether `issuer` is named as the issuer and its key made the signature. */
export const isIssuedBy = (subject: Certificate, issuer: Certificate): boolean => sameName(issuer.subject, subject.issuer) && isSignedBy(subject, issuer);
export const isSignedBy = ({ algorithm, signed, signature }: Certificate, { publicKey: { key } }: Certificate): boolean => key !== null && verifies(algorithm, key, signed, signature);
