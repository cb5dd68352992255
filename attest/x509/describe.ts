/** What a certificate says, for people and programs: `ari inspect cert`. */
import type { Certificate } from './certificate.js';
import { nameText } from './name.js';
import { tpmOf } from './tpm.js';

export interface Description {
  readonly subject: string;
  readonly issuer: string;
  /** `rsa:2048`, `ec:secp256r1`. */
  readonly key: string;
  readonly eku: string[];
  readonly ca: boolean;
  readonly tpm: { manufacturer: string | null; model: string | null; version: string | null } | null;
  readonly oddities: string[];
}

export const describeCertificate = (certificate: Certificate): Description => {
  const { subject, issuer, publicKey, purposes, basic, oddities } = certificate;
  const tpm = tpmOf(certificate);
  return { subject: nameText(subject), issuer: nameText(issuer), key: publicKey.name, eku: [...(purposes ?? [])], ca: basic?.ca === true, tpm: tpm && { ...tpm }, oddities: [...oddities] };
};
