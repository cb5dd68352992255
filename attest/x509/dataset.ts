/** The shape of the shipped set of TPM vendors' authorities, `data/ek-roots/certificates.json`, and what is believed of it. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { parse, record } from '../../src/base/shape.js';
import { type Certificate, readCertificate } from './certificate.js';
import type { PinnedRoot } from './roots.js';

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
const row = record({
  sha256: fingerprint,
  /** TCG vendor id, e.g. `IFX`. */
  vendor: z.string().regex(/^[A-Z0-9]{1,4}$/),
  kind: z.enum(['root', 'intermediate']),
  /** What a root is believed for; nothing for an intermediate. */
  uses: z.array(z.enum(['ek', 'ak'])).max(2),
  subject: z.string().max(1024),
  issuer: z.string().max(1024),
  /** ISO dates, for people. */
  notBefore: z.string().max(32),
  notAfter: z.string().max(32),
  /** `collection:path` for each place where these very bytes stood. */
  sources: z.array(z.string().max(512)).min(1).max(64),
  der: z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/).max(16_384),
});
const collection = record({ name: z.string().max(256), commit: z.string().max(64), licence: z.string().max(256) });

export const authoritySet = record({ v: z.literal('ari-authorities-1'), note: z.string().max(1024), collections: z.array(collection).max(64), certificates: z.array(row).max(4096) });
export type AuthoritySet = z.output<typeof authoritySet>;

/** Roots to pin and intermediates to try. A row whose bytes are not those of its fingerprint spoils the set. @throws Fault config.invalid */
export function readAuthoritySet(text: string, file: string): { roots: PinnedRoot[]; intermediates: Certificate[] } {
  const { certificates } = parse(authoritySet, text, file);
  const read = certificates.map(({ sha256, kind, uses, der }) => {
    const certificate = readCertificate(Buffer.from(der, 'base64'));
    if (certificate.fingerprint !== sha256) throw fault('config.invalid', { file, what: `${sha256} is not the fingerprint of its certificate` });
    return { certificate, kind, uses };
  });
  return {
    roots: read.filter(({ kind }) => kind === 'root').map(({ certificate, uses }) => ({ certificate, simulated: false, uses })),
    intermediates: read.filter(({ kind }) => kind === 'intermediate').map(({ certificate }) => certificate),
  };
}
