/** Trust anchors: which certificates are believed because an operator, or this release, says so. */
import { type Certificate, readCertificate } from './certificate.js';
import { malformed } from './der.js';
import { type Name, keyOf } from './name.js';

/** What an anchor is believed for: to endorse TPMs, or to certify attestation keys (cloud providers). */
export type AnchorUse = 'ek' | 'ak';
/** `simulated`: it vouches for software TPMs, and every device below it carries that flag. `vendor`: for people. */
export interface PinnedRoot { readonly certificate: Certificate; readonly simulated: boolean; readonly uses: readonly AnchorUse[] }

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
/** A bundle of all vendors of TPMs has a thousand. */
const MAX_BUNDLE = 4096;

/** The certificates of a PEM file, in order; comments between them are skipped. @throws Fault cert.malformed when one cannot be read */
export function readPem(pem: string): Certificate[] {
  const bodies = [...pem.matchAll(PEM)];
  if (bodies.length > MAX_BUNDLE) malformed(0, `${bodies.length} certificates, at most ${MAX_BUNDLE} are read`);
  return bodies.map(([, body]) => readCertificate(Buffer.from(body!, 'base64')));
}

/** Each certificate of a PEM bundle as an anchor of its own. @throws Fault cert.malformed */
export const pinRoots = (pem: string, { simulated, uses = ['ek'] }: { simulated: boolean; uses?: readonly AnchorUse[] }): PinnedRoot[] =>
  readPem(pem).map((certificate) => ({ certificate, simulated, uses }));

/** Authorities by the name that they issue under. */
export class Issuers<T> {
  readonly #byName = new Map<string, T[]>();

  constructor(all: readonly T[], nameOf: (one: T) => Name) {
    for (const one of all) {
      const key = keyOf(nameOf(one));
      this.#byName.set(key, [...(this.#byName.get(key) ?? []), one]);
    }
  }

  of({ issuer }: Certificate): readonly T[] { return this.#byName.get(keyOf(issuer)) ?? []; }
}
