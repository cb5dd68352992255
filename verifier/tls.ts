/**
 * TLS for a verifier that has no certificate of a public authority: an authority of its own (RSA, so that old trust stores take it) and a server certificate
 * below it (P-256). Whoever holds the authority's key can impersonate the verifier's address; its signatures on decisions he cannot make.
 */
import { type webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createSecret, readSecret } from './keyfiles.js';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Browsers and clients refuse server certificates that live longer. */
const SERVER_DAYS = 397;
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 3072, publicExponent: Uint8Array.of(1, 0, 1) };
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface TlsFiles { readonly authority: string; readonly certificate: string; readonly key: string }

/** The certificate library, loaded when a certificate is made and never to judge one. */
async function library(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

const pem = (kind: string, der: ArrayBuffer): string => `-----BEGIN ${kind}-----\n${Buffer.from(der).toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${kind}-----\n`;
const pkcs8 = async (key: webcrypto.CryptoKey): Promise<string> => pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', key));

/** The authority in a folder: made at first use, kept after that. */
async function authorityIn(dir: string, nowMs: number): Promise<{ certificate: string; key: webcrypto.CryptoKey }> {
  const x509 = await library();
  const files = { certificate: join(dir, 'ca.pem'), key: join(dir, 'ca.key') };
  if (!existsSync(files.certificate)) {
    const keys = await crypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=ari-sidecar verifier authority', notBefore: new Date(nowMs), notAfter: new Date(nowMs + AUTHORITY_DAYS * DAY_MS), signingAlgorithm: RSA, keys,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true), await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)],
    });
    const key = await pkcs8(keys.privateKey);
    createSecret(files.key, () => key);
    writeFileSync(files.certificate, pem('CERTIFICATE', certificate.rawData), { flag: 'wx' });
  }
  const der = Buffer.from(readSecret(files.key).replace(/-----[^-]+-----/g, ''), 'base64');
  return { certificate: readFileSync(files.certificate, 'utf8'), key: await crypto.subtle.importKey('pkcs8', der, RSA, false, ['sign']) };
}

/**
 * A server certificate for these host names or addresses, under the authority of the folder. The key is made anew each time.
 * @returns the files, PEM; keys are of mode 0600
 */
export async function issueTls(dir: string, hosts: readonly string[], nowMs: number): Promise<TlsFiles> {
  const x509 = await library();
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const authority = await authorityIn(dir, nowMs);
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${hosts[0] ?? 'verifier'}`, issuer: issuer.subjectName, notBefore: new Date(nowMs), notAfter: new Date(nowMs + SERVER_DAYS * DAY_MS),
    signingAlgorithm: RSA, publicKey: keys.publicKey, signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true), new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))), await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  const files = { authority: join(dir, 'ca.pem'), certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  writeFileSync(files.certificate, pem('CERTIFICATE', certificate.rawData));
  writeFileSync(files.key, await pkcs8(keys.privateKey), { mode: 0o600 });
  return files;
}

/**
 * The authority's certificate in a PKCS#12 container, as terminal makers provision trust. No key is in it; the password only makes stock tools take it.
 * `node-forge` writes the container and nothing else: it verifies nothing here.
 */
export async function trustContainer(authorityPem: string, password: string): Promise<Buffer> {
  const { default: forge } = await import('node-forge');
  const certificate = forge.pki.certificateFromPem(new X509Certificate(authorityPem).toString());
  const container = forge.pkcs12.toPkcs12Asn1(null as never, [certificate], password, { algorithm: 'aes256', friendlyName: 'ari-sidecar verifier' });
  return Buffer.from(forge.asn1.toDer(container).getBytes(), 'binary');
}
