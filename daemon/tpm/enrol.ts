/** The device's side of enrolment: what it shows, and the answer that only a TPM with this EK and this attestation key can give. */
import { ActivateCredential, NvPublic, Public, RC, encode } from '@ari-sidecar/tpm2';
import { certifyingData, enrolmentAnswer } from '../../attest/enrol/challenge.js';
import { fromB64u, toB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Device } from './device.js';
import { withEk } from './endorsement.js';
import { answered } from './faults.js';
import type { OwnIndex } from './nv.js';
import type { EnrolAnswer } from './types.js';

const written = (owner: { index: OwnIndex } | null): string | null => owner && toB64u(encode(NvPublic, owner.index.writtenPublic));

/** The indices are shown as they are after their first write: only that Name can be certified. */
export function enrolBegin({ parts: { identity, certificate, chain, provider, register, counter } }: Device, code: string): LinkBody<'enrol_begin'> {
  return {
    code,
    ekCertificate: certificate && toB64u(certificate),
    ekChain: chain.map(toB64u),
    ekPublic: toB64u(encode(Public, identity.ekPublic)),
    akPublic: toB64u(encode(Public, identity.publicArea)),
    registerPublic: written(register),
    counterPublic: written(counter),
    provider: provider.made?.shown ?? null,
  };
}

/** @throws Fault enrol.proof when the challenge is not for this EK and this key */
export async function enrolAnswer({ parts: { tpm, identity, provider } }: Device, { sessionId, credentialBlob, encryptedSecret, nonce }: LinkBody<'enrol_challenge'>): Promise<EnrolAnswer> {
  const params = { credentialBlob: fromB64u(credentialBlob) ?? Buffer.alloc(0), secret: fromB64u(encryptedSecret) ?? Buffer.alloc(0) };
  try {
    const { certInfo } = await withEk(tpm, identity.ek, (ek) => ek.authorised((keyHandle) =>
      tpm.run(ActivateCredential, { activateHandle: identity.ak, keyHandle }, params)));
    const answer = toB64u(enrolmentAnswer(certInfo, sessionId, identity.name.toString('hex')));
    return { sessionId, answer, certify: (await provider.made?.certify(identity, certifyingData(sessionId, nonce))) ?? null };
  } catch (error) {
    if (answered(error, RC.INTEGRITY)) throw fault('enrol.proof');
    throw error;
  }
}
