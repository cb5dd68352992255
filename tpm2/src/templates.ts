/** Public areas to create keys and indices from: TCG EK Credential Profile 2.5 annex B, and an attestation key that signs only what the TPM made. */
import { policies } from './policies.js';
import { nvAttributes, type NvPublic, objectAttributes, Public, type PublicInput } from './structures/index.js';
import { encode } from './wire/codec.js';

const NONE = Buffer.alloc(0);
const EK = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'adminWithPolicy', 'restricted', 'decrypt'] as const;
const AK = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'restricted', 'sign'] as const;
const STORAGE = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'restricted', 'decrypt'] as const;
const none = { scheme: 'null' } as const;
const aes128 = { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const;
const aes256 = { algorithm: 'aes', keyBits: 256, mode: 'cfb' } as const;
const plain = { algorithm: 'null' } as const;

export const templates = {
  /** L-1: RSA-2048 endorsement key, certificate in 01c00002. */
  ekRsa2048: {
    type: 'rsa', nameAlg: 'sha256', objectAttributes: objectAttributes(...EK), authPolicy: policies.PolA,
    parameters: { symmetric: aes128, scheme: none, keyBits: 2048, exponent: 0 }, unique: Buffer.alloc(256),
  },
  /** L-2: P-256 endorsement key, certificate in 01c0000a. */
  ekP256: {
    type: 'ecc', nameAlg: 'sha256', objectAttributes: objectAttributes(...EK), authPolicy: policies.PolA,
    parameters: { symmetric: aes128, scheme: none, curveID: 'p256', kdf: none }, unique: { x: Buffer.alloc(32), y: Buffer.alloc(32) },
  },
  /** H-3: P-384 endorsement key, certificate in 01c00016. Its password path is subject to lockout: use the policy. */
  ekP384: {
    type: 'ecc', nameAlg: 'sha384', objectAttributes: objectAttributes(...EK, 'userWithAuth'), authPolicy: policies.PolB384,
    parameters: { symmetric: aes256, scheme: none, curveID: 'p384', kdf: none }, unique: { x: NONE, y: NONE },
  },
  /** Attestation key, ECDSA P-256: restricted, so it signs nothing that did not come from the TPM; noDA, so that lockout does not stop it. */
  akP256: {
    type: 'ecc', nameAlg: 'sha256', objectAttributes: objectAttributes(...AK), authPolicy: NONE,
    parameters: { symmetric: plain, scheme: { scheme: 'ecdsa', hashAlg: 'sha256' }, curveID: 'p256', kdf: none }, unique: { x: NONE, y: NONE },
  },
  /** Attestation key, RSASSA-2048, for TPMs without ECC. */
  akRsa2048: {
    type: 'rsa', nameAlg: 'sha256', objectAttributes: objectAttributes(...AK), authPolicy: NONE,
    parameters: { symmetric: plain, scheme: { scheme: 'rsassa', hashAlg: 'sha256' }, keyBits: 2048, exponent: 0 }, unique: NONE,
  },
  /** Storage root key, P-256: the parent for what is sealed. */
  srkP256: {
    type: 'ecc', nameAlg: 'sha256', objectAttributes: objectAttributes(...STORAGE), authPolicy: NONE,
    parameters: { symmetric: aes128, scheme: none, curveID: 'p256', kdf: none }, unique: { x: Buffer.alloc(32), y: Buffer.alloc(32) },
  },
} as const satisfies Record<string, Public>;

/** Is `publicArea` what a TPM makes from `template`: equal in everything but the public numbers? What a verifier asks of an EK and of an AK before it trusts either. */
export function matchesTemplate(publicArea: PublicInput, template: Public): boolean {
  if (publicArea.type !== template.type) return false;
  return encode(Public, { ...publicArea, unique: template.unique } as Public).equals(encode(Public, template));
}

/** Where an endorsement key's certificate is, by template. */
export const EK_CERTIFICATE_INDEX = { ekRsa2048: 0x01c00002, ekP256: 0x01c0000a, ekP384: 0x01c00016 } as const;

/** Data to seal under a parent. Without a policy the object's auth value opens it, else the policy alone. */
export function sealedTemplate(authPolicy: Uint8Array = NONE): Public {
  const attributes = authPolicy.byteLength === 0 ? objectAttributes('fixedTPM', 'fixedParent', 'noDA', 'userWithAuth') : objectAttributes('fixedTPM', 'fixedParent', 'noDA');
  return { type: 'keyedhash', nameAlg: 'sha256', objectAttributes: attributes, authPolicy: Buffer.from(authPolicy), parameters: { scheme: none }, unique: NONE };
}

export interface RegisterOptions {
  /** Values in RAM until an orderly shutdown: no wear, but few TPMs have room for many. Default true. */
  orderly?: boolean;
}

/** An index that can only be extended, by whoever satisfies `policy`, and that a TPM reset or restart empties. Everybody may read it. */
export function registerPublic(nvIndex: number, policy: Uint8Array, { orderly = true }: RegisterOptions = {}): NvPublic {
  return {
    nvIndex, nameAlg: 'sha256', authPolicy: Buffer.from(policy), dataSize: 32,
    attributes: { ...nvAttributes('extend', 'policyWrite', 'authRead', 'noDA', 'clearStClear'), orderly },
  };
}

/** A counter that only `policy` increments. It never falls: not by undefining it, not by TPM2_Clear. */
export function counterPublic(nvIndex: number, policy: Uint8Array): NvPublic {
  return { nvIndex, nameAlg: 'sha256', authPolicy: Buffer.from(policy), dataSize: 8, attributes: nvAttributes('counter', 'policyWrite', 'authRead', 'noDA') };
}

/** The same index as it is named after its first write. */
export function written(nvPublic: NvPublic): NvPublic {
  return { ...nvPublic, attributes: { ...nvPublic.attributes, written: true } };
}
