/** TPM structures in words: names as in TPM 2.0 Part 2, bytes as lower-case hex, 64-bit numbers as decimal text. */
import { type Attest, Attest as AttestCodec, ObjectAttributes, type Public, Public as PublicCodec, WireError, decode, nameOf } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';

type Described = { [member: string]: Json };

/** @throws Fault quote.malformed with the field and the byte */
export function structure<T>(codec: Parameters<typeof decode<T>>[0], bytes: Uint8Array, what: string): T {
  try {
    return decode(codec, bytes);
  } catch (error) {
    if (error instanceof WireError) throw fault('quote.malformed', { what: `${what}: ${error.message}` });
    throw error;
  }
}

/** Without the size in front of a TPM2B, where it is exactly that. */
export const unsized = (bytes: Buffer): Buffer => (bytes.length > 2 && bytes.readUInt16BE(0) === bytes.length - 2 ? bytes.subarray(2) : bytes);

const MAGIC = 0xff544347;
/** TPMS_ATTEST, or TPM2B_ATTEST. @throws Fault quote.malformed, quote.magic */
export function readAttestation(file: Buffer): { bytes: Buffer; attest: Attest } {
  const bytes = file.length >= 4 && file.readUInt32BE(0) === MAGIC ? file : unsized(file);
  if (bytes.length >= 4 && bytes.readUInt32BE(0) !== MAGIC) throw fault('quote.magic', { kind: 'attestation' });
  return { bytes, attest: structure(AttestCodec, bytes, 'attestation') };
}

/** TPMT_PUBLIC, or TPM2B_PUBLIC. @throws Fault quote.malformed */
export const readPublic = (file: Buffer): Public => structure(PublicCodec, unsized(file), 'public area');

/** Bytes to hex, big numbers to text, all the way down. */
function plain(value: unknown): Json {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
  return value as Json;
}

/** `{magic, type, qualifiedSigner, extraData, clock, resetCount, restartCount, safe, firmwareVersion, ...what was attested}`. */
export function describeAttest({ magic, clockInfo, attested, firmwareVersion, ...rest }: Attest): Described {
  return { magic: magic.toString(16), ...(plain(rest) as Described), ...(plain(clockInfo) as Described), firmwareVersion: firmwareVersion.toString(16).padStart(16, '0'), ...(plain(attested) as Described) };
}

/** `{type, nameAlg, attributes: hex, set: names, authPolicy, parameters, unique, name}`. `name` is the TPM's Name, computed. */
export function describePublic(area: Public): Described {
  const { objectAttributes, ...rest } = area;
  return {
    ...(plain(rest) as Described), attributes: ObjectAttributes.toNumber(objectAttributes).toString(16).padStart(8, '0'),
    set: Object.entries(objectAttributes).filter(([, set]) => set === true).map(([name]) => name), name: nameOf(area).toString('hex'),
  };
}
