/** A certificate as the facts that a path check asks for. Parsed once, at enrolment or when roots are pinned. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { type KeyObject, X509Certificate, createPublicKey } from 'node:crypto';
import { Fault, fault } from '../../src/base/fault.js';
import { cutCertificate, plainSpki } from './der.js';

export interface Certificate {
  readonly der: Buffer;
  /** For people: without control characters, whoever wrote the certificate. */
  readonly subject: string;
  /** Encoded names: what links a certificate to its issuer. */
  readonly subjectDer: Buffer;
  readonly issuerDer: Buffer;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly key: KeyObject;
  /** `SHA-256` and so on: the hash of the issuer's signature. */
  readonly signatureHash: string;
  /** basicConstraints; null when absent. `pathLength` null: any. */
  readonly basic: { readonly ca: boolean; readonly pathLength: number | null } | null;
  /** keyUsage as RFC 5280 bit flags; null when absent. */
  readonly usage: number | null;
  /** extKeyUsage; null when absent. */
  readonly purposes: readonly string[] | null;
  readonly critical: readonly string[];
  signedBy(issuer: KeyObject): boolean;
}

/** keyUsage bits (RFC 5280 section 4.2.1.3) as @peculiar/x509 numbers them. */
export const USAGE = { keyEncipherment: x509.KeyUsageFlags.keyEncipherment, keyAgreement: x509.KeyUsageFlags.keyAgreement, keyCertSign: x509.KeyUsageFlags.keyCertSign } as const;

/** @throws Fault enrol.ek_chain */
export function parseCertificate(nv: Uint8Array): Certificate {
  try {
    return read(cutCertificate(nv));
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault('enrol.ek_chain', { what: 'the certificate cannot be read' }, cause);
  }
}

function read(der: Buffer): Certificate {
  const parsed = new x509.X509Certificate(der);
  const native = new X509Certificate(der);
  const ids = parsed.extensions.map(({ type }) => type);
  if (new Set(ids).size !== ids.length) throw fault('enrol.ek_chain', { what: 'an extension stands twice' });
  const basic = parsed.getExtension(x509.BasicConstraintsExtension);
  return {
    der,
    subject: parsed.subject.replace(/\p{Cc}/gu, '?'),
    subjectDer: Buffer.from(parsed.subjectName.toArrayBuffer()),
    issuerDer: Buffer.from(parsed.issuerName.toArrayBuffer()),
    notBefore: parsed.notBefore.getTime() / 1000,
    notAfter: parsed.notAfter.getTime() / 1000,
    key: createPublicKey({ key: plainSpki(Buffer.from(parsed.publicKey.rawData)), format: 'der', type: 'spki' }),
    signatureHash: parsed.signatureAlgorithm.hash?.name ?? 'none',
    basic: basic === null ? null : { ca: basic.ca, pathLength: basic.pathLength ?? null },
    usage: parsed.getExtension(x509.KeyUsagesExtension)?.usages ?? null,
    purposes: parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String) ?? null,
    critical: parsed.extensions.filter(({ critical }) => critical).map(({ type }) => type),
    signedBy: (issuer) => native.verify(issuer),
  };
}

/** A trust anchor chosen by the operator. `simulated`: it vouches for software TPMs, and every device below it carries that flag. */
export interface PinnedRoot { readonly certificate: Certificate; readonly simulated: boolean }

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** The certificates of a PEM bundle, each an anchor of its own. @throws Fault enrol.ek_chain when one cannot be read */
export const pinRoots = (pem: string, { simulated }: { simulated: boolean }): PinnedRoot[] =>
  [...pem.matchAll(PEM)].map(([, body]) => ({ certificate: parseCertificate(Buffer.from(body!, 'base64')), simulated }));
