/**
 * Rebuilds `data/ek-roots/certificates.json` from public collections of TPM authorities:
 * `node --import tsx scripts/ek-roots.ts NAME@COMMIT@LICENCE=FOLDER...`, e.g. `keylime/keylime@4f2c1e0@Apache-2.0=../keylime`.
 * Without a folder, a collection only says where a union that is in another one's folder took its certificates from.
 *
 * A root comes in by `pins.json` only: by its fingerprint, which a person compared with the vendor's word. An intermediate comes in by a valid path to
 * such a root. Prints what was added and what is gone, and fails when a pinned root is in no collection.
 */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Certificate, isIssuedBy, readCertificate } from '../attest/x509/certificate.js';
import { readCertificateFile } from '../attest/x509/input.js';
import { nameText } from '../attest/x509/name.js';
import { TPM_MAKERS } from '../attest/x509/oddities.js';
import { findPath } from '../attest/x509/path.js';
import type { PinnedRoot } from '../attest/x509/roots.js';
import { type AuthoritySet, authoritySet } from '../attest/x509/dataset.js';
import { encode, parse } from '../src/base/shape.js';

interface Pin { sha256: string; vendor: string; uses: ('ek' | 'ak')[]; name: string }
interface Found { certificate: Certificate; sources: Set<string> }
interface Collection { name: string; commit: string; licence: string; folder: string | null }

const FOLDER = fileURLToPath(new URL('../data/ek-roots/', import.meta.url));
const OUT = join(FOLDER, 'certificates.json');
/** Authorities that Microsoft makes for Windows to certify attestation keys, one for each authority of a vendor: no endorsement key is below them. */
const WINDOWS_AIK = /^CN=[A-Z]{3}-[A-Z]+-(?:KEYID|NAMEID)-/i;
const NOTE = 'Certificates of public authorities, as their issuers publish them; they are facts and remain the property of their issuers. The collections in which they were found are named with their licences.';

function collectionOf(argument: string): Collection {
  const [, name, commit, licence, folder] = /^([^@=]+)@([^@=]+)@([^=]+)(?:=(.+))?$/.exec(argument) ?? [];
  if (name === undefined || commit === undefined || licence === undefined) throw new Error(`${argument} is not NAME@COMMIT@LICENCE=FOLDER`);
  return { name, commit, licence, folder: folder ?? null };
}

/** Certificates in a file of any kind: PEM, DER, or a JSON array of `{ der, sources? }`. What is none is skipped. */
function* certificatesIn(path: string): Generator<{ certificate: Certificate; sources: string[] }> {
  const bytes = readFileSync(path);
  try {
    if (path.endsWith('.json')) {
      const rows = JSON.parse(bytes.toString()) as { der?: string; sources?: string[] }[];
      for (const { der, sources = [] } of Array.isArray(rows) ? rows : []) if (der !== undefined) yield { certificate: readCertificate(Buffer.from(der, 'base64')), sources };
    } else for (const certificate of readCertificateFile(bytes)) yield { certificate, sources: [] };
  } catch {
    return;
  }
}

function gather(collections: readonly Collection[]): Map<string, Found> {
  const all = new Map<string, Found>();
  for (const { name, folder } of collections) {
    if (folder === null) continue;
    for (const path of readdirSync(folder, { recursive: true }).map((each) => join(folder, String(each))).filter((each) => statSync(each).isFile() && statSync(each).size < 8e6)) {
      for (const { certificate, sources } of certificatesIn(path)) {
        const found = all.get(certificate.fingerprint) ?? { certificate, sources: new Set<string>() };
        const named = sources.filter((source) => collections.some((each) => source.startsWith(`${each.name}:`)));
        for (const source of named.length > 0 ? named : [`${name}:${relative(folder, path)}`]) found.sources.add(source);
        all.set(certificate.fingerprint, found);
      }
    }
  }
  return all;
}

const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);
const rowOf = ({ certificate, sources }: Found, vendor: string, uses: ('ek' | 'ak')[] | null): AuthoritySet['certificates'][number] => ({
  sha256: certificate.fingerprint, vendor, kind: uses === null ? 'intermediate' : 'root', uses: uses ?? [],
  subject: nameText(certificate.subject), issuer: nameText(certificate.issuer), notBefore: day(certificate.notBefore), notAfter: day(certificate.notAfter),
  sources: [...sources].sort(), der: certificate.der.toString('base64'),
});

/** A self-signed root must carry its own signature, where its algorithm is one that still says something. */
function assertRoot({ certificate }: Found): void {
  const { selfIssued, algorithm, title } = certificate;
  if (certificate.basic?.ca !== true) throw new Error(`${title} is no authority`);
  if (selfIssued && algorithm.scheme !== null && !isIssuedBy(certificate, certificate)) throw new Error(`${title} is not signed by itself`);
}

function build(pins: readonly Pin[], all: Map<string, Found>, nowS: number): AuthoritySet['certificates'] {
  const roots = pins.map((pin) => {
    const found = all.get(pin.sha256);
    if (found === undefined) throw new Error(`root ${pin.name} (${pin.sha256}) is in no collection`);
    assertRoot(found);
    return { pin, found };
  });
  const anchors: PinnedRoot[] = roots.map(({ pin, found }) => ({ certificate: found.certificate, simulated: false, uses: pin.uses }));
  const others = [...all.values()].filter(({ certificate }) => certificate.basic?.ca === true && !pins.some(({ sha256 }) => sha256 === certificate.fingerprint) && !WINDOWS_AIK.test(certificate.title));
  const intermediates = others.flatMap((found) => {
    const answer = findPath({ leaf: found.certificate, intermediates: others.map(({ certificate }) => certificate), anchors, nowS, purpose: null, tolerated: TPM_MAKERS });
    return answer.ok ? [rowOf(found, pins.find(({ sha256 }) => sha256 === answer.root.certificate.fingerprint)!.vendor, null)] : [];
  });
  const order = (a: { vendor: string; subject: string; sha256: string }, b: typeof a): number => (`${a.vendor} ${a.subject} ${a.sha256}` < `${b.vendor} ${b.subject} ${b.sha256}` ? -1 : 1);
  return [...roots.map(({ pin, found }) => rowOf(found, pin.vendor, pin.uses)).sort(order), ...intermediates.sort(order)];
}

function known(): AuthoritySet['certificates'] {
  try {
    return parse(authoritySet, readFileSync(OUT, 'utf8'), OUT).certificates;
  } catch {
    return [];
  }
}

const write = (set: AuthoritySet): void => {
  const { certificates, ...head } = encode(authoritySet, set) as { certificates: object[] };
  writeFileSync(OUT, `${JSON.stringify(head).slice(0, -1)},"certificates":[\n${certificates.map((row) => JSON.stringify(row)).join(',\n')}\n]}\n`);
};

const collections = process.argv.slice(2).map(collectionOf);
const pins = JSON.parse(readFileSync(join(FOLDER, 'pins.json'), 'utf8')) as Pin[];
const certificates = build(pins, gather(collections), Math.floor(Date.now() / 1000));
const before = known();
for (const row of certificates) if (!before.some(({ sha256 }) => sha256 === row.sha256)) process.stdout.write(`+ ${row.kind} ${row.vendor} ${row.subject}\n`);
for (const row of before) if (!certificates.some(({ sha256 }) => sha256 === row.sha256)) process.stdout.write(`- ${row.kind} ${row.vendor} ${row.subject}\n`);
write({ v: 'ari-authorities-1', note: NOTE, collections: collections.map(({ name, commit, licence }) => ({ name, commit, licence })), certificates });
process.stdout.write(`${certificates.filter(({ kind }) => kind === 'root').length} roots, ${certificates.filter(({ kind }) => kind === 'intermediate').length} intermediates\n`);
