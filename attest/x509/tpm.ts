/** What a certificate says of a TPM (TCG EK Credential Profile for TPM Family 2.0), and whether it is made for the key that it is shown for. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { Certificate } from './certificate.js';
import { USAGE } from './extensions.js';
import { valuesOf } from './name.js';
import { type Oddity, TPM_MAKERS } from './oddities.js';

/** As the maker wrote it: manufacturer and version mostly as `id:` and hex. Null where it is silent. */
export interface TpmModel { readonly manufacturer: string | null; readonly model: string | null; readonly version: string | null }

const MANUFACTURER = '2.23.133.2.1';
const MODEL = '2.23.133.2.2';
const VERSION = '2.23.133.2.3';
/** tcg-kp-EKCertificate and tcg-kp-AIKCertificate. */
export const EK_PURPOSE = '2.23.133.8.1';
export const AK_PURPOSE = '2.23.133.8.3';

/** The TPM that the directory names of the SAN describe; null when none does. */
export function tpmOf({ names }: Certificate): TpmModel | null {
  const directories = (names ?? []).flatMap((name) => (name.kind === 'directory' ? [name.name] : []));
  const first = (type: string): string | null => directories.flatMap((name) => valuesOf(name, type))[0]?.replace(/\p{Cc}/gu, '?').slice(0, 128) ?? null;
  const [manufacturer, model, version] = [first(MANUFACTURER), first(MODEL), first(VERSION)];
  return manufacturer === null && model === null && version === null ? null : { manufacturer, model, version };
}

/** The four characters of a TCG vendor id, `id:49465800` as `IFX`; an older number, `id:00001014`, as `1014`. */
export function vendorId(manufacturer: string): string {
  const [, hex] = /^id:([0-9a-f]{8})$/i.exec(manufacturer) ?? [];
  if (hex === undefined) return manufacturer.toUpperCase();
  const text = Buffer.from(hex, 'hex').toString('latin1').replace(/[\0 ]+$/, '').toUpperCase();
  return /^[\x20-\x7e]+$/.test(text) ? text : hex.replace(/^0+/, '').toUpperCase();
}

/** The purpose that a certificate of a TPM's key names itself; null for any other certificate. */
export const tpmPurpose = ({ purposes }: Certificate): string | null => [EK_PURPOSE, AK_PURPOSE].find((purpose) => purposes?.includes(purpose)) ?? null;

const NONE: ReadonlySet<Oddity> = new Set();
const INTERNET = new Set(['dns', 'ip', 'email', 'uri']);
/** Which breaches are not held against a path, where only its certificate says what it is: those of TPM makers, who certify no hosts and no mailboxes. */
export const toleranceFor = ({ names }: Certificate): ReadonlySet<Oddity> => (names?.some(({ kind }) => INTERNET.has(kind)) === true ? NONE : TPM_MAKERS);

const wrong = ({ title }: Certificate, what: string): Finding => finding('cert.purpose', { title, what });

/**
 * Whether this is the certificate of an endorsement key. Issuing authorities carry the same purpose as what they issue, so that a CA=false is asked for;
 * a maker's signing certificate has the same issuer, so that the use of the key is.
 */
export function endorsement(ek: Certificate): Finding | null {
  const { basic, purposes, usage, publicKey } = ek;
  if (basic?.ca === true) return wrong(ek, 'it is one of an authority');
  if (purposes !== null && !purposes.includes(EK_PURPOSE)) return wrong(ek, 'it is not for an endorsement key');
  const wanted = publicKey.name.startsWith('rsa') ? USAGE.keyEncipherment : USAGE.keyAgreement;
  return usage !== null && (usage & wanted) === 0 ? wrong(ek, 'it does not allow the use of an endorsement key') : null;
}

/** Whether this is the certificate of an attestation key: by its purpose or, where it names none, by being for signatures and nothing else. */
export function attestation(ak: Certificate): Finding | null {
  const { basic, purposes, usage } = ak;
  if (basic?.ca === true) return wrong(ak, 'it is one of an authority');
  if (purposes !== null && !purposes.includes(AK_PURPOSE)) return wrong(ak, 'it is not for an attestation key');
  if (purposes === null && usage !== USAGE.digitalSignature) return wrong(ak, 'it does not say that it is for an attestation key');
  return usage !== null && (usage & USAGE.digitalSignature) === 0 ? wrong(ak, 'it does not allow signatures') : null;
}
