/**
 * A cloud's own attestation key, certified by the provider (Azure: at 81000003, its certificate in NV 01C101D0; Google: made from the template in NV
 * 01C10001 or 01C10003, certificates in 01C10000 and 01C10002). It has the provider's template, so it is not our attestation key; it certifies ours, once.
 *
 * What TPM2_Certify proves here (TPM 2.0 Part 3 section 18.2; Part 1 section 25, object attributes, and section 31, attestation):
 * - the provider's key is restricted, so it signs nothing from outside that begins with TPM_GENERATED: the statement is its TPM's own;
 * - the statement says that an object of this Name is loaded there with its private part: one without it cannot be authorised, so not certified;
 * - the Name covers the public area, which is exactly our template. fixedTPM and sensitiveDataOrigin in it say that the key was made in this TPM and cannot
 *   leave it: "loaded in that TPM" is "in that TPM and in no other". Of a key that could be duplicated it would say nothing of the kind;
 * - the qualified Name covers the key's ancestors: it is a child of the EK that was shown, in the endorsement hierarchy, so this EK is that TPM's too. Without
 *   a certificate nothing else ties the two: an EK may be made in software, and opens any credential.
 *
 * That the provider's key is restricted is the provider's word, by what he certifies it for: an X.509 certificate holds the key and not its attributes. The
 * public area that the device shows is checked all the same, so that a key of another kind, named by mistake, is refused by name.
 */
import type { KeyObject } from 'node:crypto';
import { Attest, Public, Signature, type SignatureScheme, WireError, decode, publicKeyOf, verifySignature } from '@ari-sidecar/tpm2';
import { type Sha256, equal, fromB64u, sha256 } from '../../src/base/bytes.js';
import { type Fault, fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { isKey, readArea } from './keys.js';
import { type Provenance, type TpmTrust, certifiedBy } from './provenance.js';

/** A provider's key whose certificate holds. */
export interface ProviderKey {
  readonly key: KeyObject;
  readonly scheme: SignatureScheme;
  readonly publicArea: Public;
  /** SHA-256 of its SubjectPublicKeyInfo: all of it that is certified, so another public area around the key is no other key. */
  readonly sha256: Sha256;
  readonly provenance: Provenance;
}

const HASHES = ['sha256', 'sha384', 'sha512'] as const;
const KINDS = ['rsassa', 'rsapss', 'ecdsa'] as const;
const isOneOf = <T extends string>(all: readonly T[], one: string): one is T => all.some((each) => each === one);

const keyRefused = (what: string): Fault => fault('enrol.provider_key', { what });

/** How the key signs, by its public area: a restricted key has one scheme. */
function schemeOf(area: Public): SignatureScheme {
  const { scheme } = area.parameters as { scheme?: { scheme: string; hashAlg?: string } };
  if (scheme === undefined || !isOneOf(KINDS, scheme.scheme) || !isOneOf(HASHES, scheme.hashAlg ?? '')) throw keyRefused(`its scheme is ${scheme?.scheme ?? 'none'}`);
  return { sigAlg: scheme.scheme, hash: scheme.hashAlg as SignatureScheme['hash'] };
}

/** @throws Fault enrol.provider_key, enrol.ak_certificate */
export function readProvider({ publicArea: shown, certificate, chain }: NonNullable<LinkBody<'enrol_begin'>['provider']>, trust: TpmTrust, nowS: number): ProviderKey {
  const publicArea = readArea(Public, shown, keyRefused);
  const { restricted, sign, decrypt, fixedTPM, sensitiveDataOrigin } = publicArea.objectAttributes;
  const lacks = Object.entries({ restricted, sign, fixedTPM, sensitiveDataOrigin }).filter(([, set]) => !set).map(([name]) => name);
  if (lacks.length > 0) throw keyRefused(`it is not ${lacks.join(', ')}`);
  if (decrypt) throw keyRefused('it decrypts too');
  const scheme = schemeOf(publicArea);
  if (!isKey(publicArea)) throw keyRefused('its point or modulus is none');
  const key = publicKeyOf(publicArea);
  const provenance = certifiedBy({ certificate, chain, trust, nowS }, publicArea);
  return { key, scheme, publicArea, sha256: sha256(key.export({ format: 'der', type: 'spki' })), provenance };
}

/** Of whom the statement must speak, lower-case hex. */
interface Certified { readonly akName: string; readonly qualifiedSigner: string }

const refused = (what: string): Fault => fault('enrol.certify', { what });

/**
 * Nothing in the structure is believed before its signature.
 * @throws Fault enrol.certify
 */
export function assertCertified({ key, scheme }: ProviderKey, { akName, qualifiedSigner }: Certified, qualifyingData: Uint8Array, certify: Attestation | null): void {
  if (certify === null) throw refused('there is none');
  const bytes = fromB64u(certify.attest) ?? Buffer.alloc(0);
  if (!verifySignature(key, bytes, readArea(Signature, certify.signature, refused), scheme)) throw refused('it is not signed by the key that is certified');
  const attest = readAttest(bytes);
  if (attest.type !== 'certify') throw refused(`it is a statement of type ${attest.type}`);
  if (!equal(attest.extraData, qualifyingData)) throw refused('it is over another challenge');
  if (attest.attested.name.toString('hex') !== akName) throw refused('it is about another key');
  if (attest.attested.qualifiedName.toString('hex') !== qualifiedSigner) throw refused('the key is not below the endorsement key that was shown');
}

/** With TPM_GENERATED_VALUE, which the structure demands. */
function readAttest(bytes: Buffer): Attest {
  try {
    return decode(Attest, bytes);
  } catch (error) {
    if (error instanceof WireError) throw refused(error.message);
    throw error;
  }
}
