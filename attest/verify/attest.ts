/**
 * From bytes that anyone may have written to a TPMS_ATTEST that the enrolled key signed for exactly this use. The order is the law: nothing in the
 * structure is believed before its signature, and no word of the signature about itself is.
 */
import type { KeyObject } from 'node:crypto';
import { Attest, type AttestOf, Signature, type SignatureScheme, WireError, decode, verifySignature } from '@ari-sidecar/tpm2';
import { equal, fromB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { AttestKind } from '../../src/names.js';
import type { Attestation } from '../../src/objects/evidence.js';

/** An enrolled attestation key: how it signs, and the qualified Name that each of its attestations must carry. */
export interface EnrolledKey { readonly key: KeyObject; readonly scheme: SignatureScheme; readonly qualifiedSigner: Buffer }

/** TPM_GENERATED_VALUE: a restricted key signs nothing from outside that begins with it. */
const MAGIC = 0xff544347;
/** TPM_ST_ATTEST_QUOTE, TPM_ST_ATTEST_NV. The digest form 801C is no stand-in for the contents. */
const TYPES = { quote: 0x8018, nv: 0x8014 } as const;
type Type = keyof typeof TYPES;

const bytesOf = (text: string): Buffer => fromB64u(text) ?? Buffer.alloc(0);

function structure<T>(codec: Parameters<typeof decode<T>>[0], bytes: Uint8Array, what: string): T {
  try {
    return decode(codec, bytes);
  } catch (error) {
    if (error instanceof WireError) throw fault('quote.malformed', { what: `${what}: ${error.message}` });
    throw error;
  }
}

/** The structure without any check, for facts that are checked later. @throws Fault quote.malformed */
export const readAttest = ({ attest }: Pick<Attestation, 'attest'>): Attest => structure(Attest, bytesOf(attest), 'attestation');

/**
 * @param kind what the signature must be for, as its qualifyingData says; `type` what the TPM must have attested
 * @throws Fault quote.malformed, quote.scheme, quote.signature, quote.magic, quote.type or register.type, quote.signer, quote.nonce
 */
export function authenticate<T extends Type>(ak: EnrolledKey, evidence: Attestation, type: T, kind: AttestKind, qualifyingData: Uint8Array): AttestOf<T> {
  const bytes = bytesOf(evidence.attest);
  assertSigned(ak, bytes, evidence.signature, kind);
  if (bytes.length < 6 || bytes.readUInt32BE(0) !== MAGIC) throw fault('quote.magic', { kind });
  assertType(bytes.readUInt16BE(4), type);
  const attest = structure(Attest, bytes, kind);
  if (!equal(attest.qualifiedSigner, ak.qualifiedSigner)) throw fault('quote.signer', { kind });
  if (!equal(attest.extraData, qualifyingData)) throw fault('quote.nonce', { kind });
  return attest as AttestOf<T>;
}

function assertSigned({ key, scheme }: EnrolledKey, bytes: Uint8Array, text: string, kind: AttestKind): void {
  const signature = structure(Signature, bytesOf(text), `signature of the ${kind}`);
  if (signature.sigAlg !== scheme.sigAlg || !('hash' in signature) || signature.hash !== scheme.hash) throw fault('quote.scheme');
  if (!verifySignature(key, bytes, signature, scheme)) throw fault('quote.signature', { kind });
}

function assertType(found: number, type: Type): void {
  if (found === TYPES[type]) return;
  const seen = found.toString(16);
  throw type === 'nv' ? fault('register.type', { seen }) : fault('quote.type', { seen, wanted: TYPES.quote.toString(16) });
}
