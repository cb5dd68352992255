/** An attestation key in any of the forms in which tools write one: TPM2B_PUBLIC, TPMT_PUBLIC, PEM, certificate. */
import { type KeyObject, X509Certificate, createPublicKey } from 'node:crypto';
import { type Public, type SignatureScheme, publicKeyOf } from '@ari-sidecar/tpm2';
import { Fault, fault } from '../../src/base/fault.js';
import { readPublic } from './structures.js';

/** `area` is null for a bare key: then its attributes cannot be judged. */
export interface InspectedKey { readonly key: KeyObject; readonly area: Public | null }

/** @throws Fault quote.malformed for what is no key */
export function readKey(file: Buffer): InspectedKey {
  const foreign = certificateKey(file) ?? spkiKey(file);
  if (foreign !== null) return { key: foreign, area: null };
  const area = readPublic(file);
  try {
    return { key: publicKeyOf(area), area };
  } catch (error) {
    if (error instanceof TypeError) throw fault('quote.malformed', { what: `public area: ${error.message}` });
    throw error;
  }
}

const attempt = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch (error) {
    if (error instanceof Fault) throw error;
    return null;
  }
};
/** OpenSSL's answer to what is none is an error without a class of its own. */
const certificateKey = (file: Buffer): KeyObject | null => attempt(() => new X509Certificate(file).publicKey);
const spkiKey = (file: Buffer): KeyObject | null => attempt(() => (file.includes('-----BEGIN PUBLIC KEY') ? createPublicKey(file) : createPublicKey({ key: file, format: 'der', type: 'spki' })));

/** The scheme that the key itself demands; null where it leaves that to the signature. */
export function ownScheme({ area }: InspectedKey): SignatureScheme | null {
  if (area?.type !== 'rsa' && area?.type !== 'ecc') return null;
  const { scheme } = area.parameters;
  return scheme.scheme === 'rsassa' || scheme.scheme === 'rsapss' || scheme.scheme === 'ecdsa' ? { sigAlg: scheme.scheme, hash: scheme.hashAlg } : null;
}

const DEMANDED = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const;
/** What an attestation key must be, or its signatures say nothing about a TPM: a key that is not restricted signs any made-up attestation. @throws Fault enrol.ak_attributes */
export function assertAttestationKey({ area }: InspectedKey): void {
  if (area === null) return;
  const missing = DEMANDED.filter((name) => !area.objectAttributes[name]);
  if (missing.length > 0) throw fault('enrol.ak_attributes', { what: `it is not ${missing.join(', ')}` });
  if (area.objectAttributes.decrypt) throw fault('enrol.ak_attributes', { what: 'it decrypts' });
}
