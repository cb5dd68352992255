/** What the verifier enrolled, turned into the key that evidence must be signed with. */
import { Public, WireError, decode, nameOf, publicKeyOf, type SignatureScheme } from '@ari-sidecar/tpm2';
import { fromB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { KnownDevice } from '../types.js';
import type { EnrolledKey } from './attest.js';

/** The scheme follows from the key's type: the templates of enrolment have one each. Nothing is negotiated. */
const SCHEMES: Partial<Record<Public['type'], SignatureScheme>> = { ecc: { sigAlg: 'ecdsa', hash: 'sha256' }, rsa: { sigAlg: 'rsassa', hash: 'sha256' } };

/** Records are immutable, and importing a key costs more than verifying with it. */
const imported = new WeakMap<DeviceRecord, EnrolledKey>();

/** @throws Fault device.revoked, device.record (its Name is not that of its public area) */
export function enrolledKey({ record: { value: record }, state }: KnownDevice): EnrolledKey {
  if (state !== 'enrolled') throw fault('device.revoked', { state });
  const known = imported.get(record) ?? importKey(record);
  imported.set(record, known);
  return known;
}

function importKey(record: DeviceRecord): EnrolledKey {
  try {
    const area = decode(Public, fromB64u(record.akPublic) ?? Buffer.alloc(0));
    const scheme = SCHEMES[area.type];
    if (scheme === undefined || nameOf(area).toString('hex') !== record.akName) throw fault('device.record');
    return { key: publicKeyOf(area), scheme, qualifiedSigner: Buffer.from(record.qualifiedSigner, 'hex') };
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError) throw fault('device.record');
    throw error;
  }
}
