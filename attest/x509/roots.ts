/** Trust anchors: which certificates are believed because an operator, or this release, says so. */
import { type Certificate, readCertificate } from './certificate.js';

/** What an anchor is believed for: to endorse TPMs, or to certify attestation keys (cloud providers). */
export type AnchorUse = 'ek' | 'ak';
/** `simulated`: it vouches for software TPMs, and every device below it carries that flag. `vendor`: for people. */
export interface PinnedRoot { readonly certificate: Certificate; readonly simulated: boolean; readonly uses: readonly AnchorUse[] }

const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;
/** A bundle of all vendors of TPMs has a thousand. */
const MAX_BUNDLE = 4096;

/** The certificates of a PEM file, in order; comments between them are skipped. @throws Fault cert.malformed when one cannot be read */
export const readPem = (pem: string): Certificate[] => [...pem.matchAll(PEM)].slice(0, MAX_BUNDLE).map(([, body]) => readCertificate(Buffer.from(body!, 'base64')));

/** Each certificate of a PEM bundle as an anchor of its own. @throws Fault cert.malformed */
export const pinRoots = (pem: string, { simulated, uses = ['ek'] }: { simulated: boolean; uses?: readonly AnchorUse[] }): PinnedRoot[] =>
  readPem(pem).map((certificate) => ({ certificate, simulated, uses }));

/** Authorities by the name that they issue under. */
export class Issuers<T> {
  readonly #byName = new Map<string, T[]>();
  constructor(all: readonly T[], nameOf: (one: T) => Certificate['subject']) {
    for (const one of all) {
      const key = nameOf(one).keys.join(',');
      const same = this.#byName.get(key);
      if (same === undefined) this.#byName.set(key, [one]);
      else same.push(one);
    }
  }

  of({ issuer }: Certificate): readonly T[] { return this.#byName.get(issuer.keys.join(',')) ?? []; }
}
