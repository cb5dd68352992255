/** A certificate authority in memory: certificates of any kind for tests, made with @peculiar/x509, which the project itself does not use. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { type Certificate, readCertificate } from '../../attest/x509/certificate.js';
import type { AnchorUse, PinnedRoot } from '../../attest/x509/roots.js';

export const NOW = 1_800_000_000;
export const DAY = 86_400;
export type Keys = webcrypto.CryptoKeyPair;
export interface Party { name: string; keys: Keys }
export interface Draft { subject: Party; issuer: Party; extensions?: x509.Extension[]; from?: number; to?: number; hash?: string; serial?: string; aki?: boolean }

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { KeyUsageFlags: usage } = x509;
export { usage, x509 };

export const newKeys = (): Promise<Keys> => webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']) as Promise<Keys>;
export const party = async (name: string): Promise<Party> => ({ name, keys: await newKeys() });
export const ca = (pathLength?: number): x509.Extension[] => [new x509.BasicConstraintsExtension(true, pathLength, true), new x509.KeyUsagesExtension(usage.keyCertSign | usage.cRLSign, true)];
export const ek = (...more: x509.Extension[]): x509.Extension[] => [new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.keyAgreement, true), ...more];
export const purposes = (...ids: string[]): x509.Extension => new x509.ExtendedKeyUsageExtension(ids);
export const unknownCritical = new x509.Extension('1.2.3.4.5', true, Buffer.from('0500', 'hex'));

let serials = 1;
const date = (s: number): Date => new Date(s * 1000);

export async function issue({ subject, issuer, extensions = ek(), from = NOW - DAY, to = NOW + DAY, hash = 'SHA-256', serial = (serials++).toString(16).padStart(4, '0'), aki = true }: Draft): Promise<Buffer> {
  const known = [await x509.SubjectKeyIdentifierExtension.create(subject.keys.publicKey, false, webcrypto as never), ...(aki ? [await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey, false, webcrypto as never)] : [])];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial, subject: subject.name, issuer: issuer.name, notBefore: date(from), notAfter: date(to), signingAlgorithm: { ...ECDSA, hash },
    publicKey: subject.keys.publicKey, signingKey: issuer.keys.privateKey, extensions: [...extensions, ...known],
  }, webcrypto as never);
  return Buffer.from(certificate.rawData);
}

export const certificate = async (draft: Draft): Promise<Certificate> => readCertificate(await issue(draft));
export const pin = (der: Buffer, { simulated = false, uses = ['ek'] as AnchorUse[] } = {}): PinnedRoot => ({ certificate: readCertificate(der), simulated, uses });
export const pemOf = (der: Buffer, what = 'CERTIFICATE'): string => `-----BEGIN ${what}-----\n${der.toString('base64').match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END ${what}-----\n`;

/** A revocation list over the given serial numbers (hex). */
export async function revocationList({ issuer, serials: revoked, from = NOW - DAY, to = NOW + DAY, extensions = [] }: { issuer: Party; serials: string[]; from?: number; to?: number | null; extensions?: x509.Extension[] }): Promise<Buffer> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.name, thisUpdate: date(from), ...(to !== null && { nextUpdate: date(to) }), signingAlgorithm: ECDSA, signingKey: issuer.keys.privateKey, extensions,
    entries: revoked.map((serialNumber) => ({ serialNumber, revocationDate: date(from) })),
  }, webcrypto as never);
  return Buffer.from(list.rawData);
}
