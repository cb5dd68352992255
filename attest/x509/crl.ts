/** Revocation lists (RFC 5280 section 5), from files that an operator keeps: nothing is fetched, whatever a certificate names. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { Certificate } from './certificate.js';
import { type Der, TAG, inside, items, malformed, only } from './der.js';
import { USAGE, readExtensionList } from './extensions.js';
import { type Name, readName, sameName } from './name.js';
import { Oddities } from './oddities.js';
import { integer, octetsOfBits, small, time } from './primitives.js';
import { type SignatureAlgorithm, readAlgorithm, verifies } from './signature.js';

export interface RevocationList {
  readonly issuer: Name;
  readonly thisUpdate: number;
  /** Null: it never said when the next one comes. */
  readonly nextUpdate: number | null;
  /** Serial numbers as two's complement, lower-case hex. */
  readonly serials: ReadonlySet<string>;
  readonly algorithm: SignatureAlgorithm;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** Bytes and entries: the lists of makers of TPMs stay far below. */
export const MAX_CRL = 16 * 1024 * 1024;
const MAX_ENTRIES = 500_000;

/**
 * A complete list of one issuer. Those for a part of its certificates, and changes to an earlier list, are marked critical and refused: taken for the
 * whole they would hide revocations.
 * @throws Fault cert.malformed
 */
export function readCrl(bytes: Uint8Array): RevocationList {
  if (bytes.length > MAX_CRL) malformed(0, `it has ${bytes.length} bytes, at most ${MAX_CRL} are read`);
  const oddities = new Oddities();
  const outer = inside(only(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, TAG.sequence, 'the revocation list', oddities));
  const signed = outer.take(TAG.sequence, 'what is signed');
  const algorithm = readAlgorithm(outer.take(TAG.sequence, 'the signature algorithm'));
  const signature = octetsOfBits(outer.take(TAG.bitString, 'the signature'));
  outer.end('the revocation list');
  const reader = inside(signed);
  const version = reader.optional(TAG.integer, 'the version');
  if (version !== null && small(version, 'the version') !== 1) malformed(version.at, 'a version that is not 2');
  if (!readAlgorithm(reader.take(TAG.sequence, 'the signature algorithm')).der.equals(algorithm.der)) malformed(signed.at, 'two signature algorithms that differ');
  const issuer = readName(reader.take(TAG.sequence, 'the issuer'));
  const thisUpdate = time(reader.next('thisUpdate'));
  const nextUpdate = reader.tag === TAG.utcTime || reader.tag === TAG.generalizedTime ? time(reader.next('nextUpdate')) : null;
  const entries = reader.optional(TAG.sequence, 'the entries');
  const serials = new Set(entries === null ? [] : items(entries, 'entries', { empty: true, max: MAX_ENTRIES }).map(serialOf));
  const extensions = reader.optional(0xa0, 'the extensions');
  reader.end('what is signed');
  if (extensions !== null) refuseCritical(only(extensions.body, extensions.at, TAG.sequence, 'the extensions', oddities));
  return { issuer, thisUpdate, nextUpdate, serials, algorithm, signed: signed.whole, signature };
}

function serialOf(entry: Der): string {
  const reader = inside(entry);
  const serial = integer(reader.take(TAG.integer, 'a serial number')).toString('hex');
  time(reader.next('a date of revocation'));
  const extensions = reader.optional(TAG.sequence, 'the extensions of an entry');
  reader.end('an entry');
  if (extensions !== null && extensions.body.length > 0) refuseCritical(extensions);
  return serial;
}

function refuseCritical(list: Der): void {
  const unknown = readExtensionList(list).find(({ critical }) => critical);
  if (unknown !== undefined) malformed(unknown.at, `a critical extension of a revocation list that is unknown here (${unknown.id})`);
}

/** `refuseStale`: a list that is over, or not yet begun, refuses what it should speak of. Without, it still revokes what it names. */
export interface Revocations { readonly lists: readonly RevocationList[]; readonly refuseStale: boolean }

const isBy = (list: RevocationList, { subject, usage, publicKey: { key } }: Certificate): boolean =>
  sameName(list.issuer, subject) && (usage === null || (usage & USAGE.cRLSign) !== 0) && key !== null && verifies(list.algorithm, key, list.signed, list.signature);

/** The lists of each issuer of a path, over what stands below it. An issuer without a list revokes nothing. From the leaf to the anchor. */
export function revoked(path: readonly Certificate[], { lists, refuseStale }: Revocations, nowS: number): Finding | null {
  for (const [i, issuer] of path.entries()) {
    const below = path[i - 1];
    if (below === undefined) continue;
    const own = lists.filter((list) => isBy(list, issuer));
    if (own.some(({ serials }) => serials.has(below.serial))) return finding('cert.revoked', { title: below.title });
    const isCurrent = ({ thisUpdate, nextUpdate }: RevocationList): boolean => thisUpdate <= nowS && (nextUpdate === null || nowS <= nextUpdate);
    if (refuseStale && own.length > 0 && !own.some(isCurrent)) return finding('cert.crl_stale', { issuer: issuer.title });
  }
  return null;
}

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;
/** The lists in a file, PEM or DER. @throws Fault cert.malformed */
export function readCrls(file: Uint8Array): RevocationList[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes[0] === TAG.sequence) return [readCrl(bytes)];
  const lists = [...bytes.toString('latin1').matchAll(PEM)].map(([, body]) => readCrl(Buffer.from(body!, 'base64')));
  return lists.length > 0 ? lists : malformed(0, 'there is no revocation list');
}
