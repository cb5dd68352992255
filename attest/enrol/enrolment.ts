/** Enrolment as the verifier judges it: is this attestation key in a TPM that a pinned root vouches for, and is each public area the one that the house prescribes? */
import { Public, encode, publicKeyOf } from '@ari-sidecar/tpm2';
import { type Sha256, fromB64u, sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Tier } from '../../src/names.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { readAttest } from '../verify/attest.js';
import { type PinnedRoot, parseCertificate } from './certificate.js';
import { checkChain } from './chain.js';
import { readAk, readCounter, readEk, readRegister } from './keys.js';

/** What was computed from an `enrol_begin`. Nothing of it is proven before the answer to the challenge is right. Names are lower-case hex. */
export interface EnrolmentFacts {
  readonly ekPublic: Public;
  /** SHA-256 of TPMT_PUBLIC of the EK: the store's unique key. It names the machine for ever and leaves enrolment nowhere. */
  readonly ekSha256: Sha256;
  readonly akPublic: string;
  readonly akName: string;
  readonly qualifiedSigner: string;
  readonly registerName: string | null;
  readonly counterName: string | null;
  readonly ekRoot: string | null;
  readonly simulated: boolean;
  readonly tierMax: Tier;
}

/**
 * Judges what a device wants to enrol. A certificate that does not chain is refused; a TPM without one is taken at tier T1.
 * @throws Fault enrol.ek_template, enrol.ek_chain, enrol.ek_mismatch, enrol.ak_attributes, enrol.register
 */
export function checkEnrolment(begin: LinkBody<'enrol_begin'>, roots: readonly PinnedRoot[], nowS: number): EnrolmentFacts {
  const ekPublic = readEk(begin.ekPublic);
  const root = begin.ekCertificate === null ? null : checkCertificate(begin.ekCertificate, begin.ekChain, ekPublic, roots, nowS);
  const ak = readAk(begin.akPublic, ekPublic);
  const registerName = begin.registerPublic === null ? null : readRegister(begin.registerPublic, ak);
  const counterName = begin.counterPublic === null ? null : readCounter(begin.counterPublic, ak);
  return {
    ekPublic, ekSha256: sha256(encode(Public, ekPublic)), akPublic: begin.akPublic, akName: ak.akName, qualifiedSigner: ak.qualifiedSigner, registerName, counterName,
    ekRoot: root === null ? null : root.certificate.subject.slice(0, 512) || 'a root without a name', simulated: root?.simulated ?? false,
    tierMax: root !== null && registerName !== null ? 'T2' : 'T1',
  };
}

function checkCertificate(certificate: string, chain: readonly string[], ek: Public, roots: readonly PinnedRoot[], nowS: number): PinnedRoot {
  const bytes = (text: string): Uint8Array => fromB64u(text) ?? Buffer.alloc(0);
  const endorsement = parseCertificate(bytes(certificate));
  const root = checkChain(endorsement, chain.map((each) => parseCertificate(bytes(each))), roots, nowS);
  if (!publicKeyOf(ek).equals(endorsement.key)) throw fault('enrol.ek_mismatch');
  return root;
}

/**
 * The record of a device whose answer was right. `evidence` is its first platform part: the firmware version is read from it, and the evidence must
 * then be appraised under this very record before anything is kept.
 * @throws Fault intake.malformed
 */
export function deviceRecordOf(facts: EnrolmentFacts, evidence: PlatformEvidence, ids: Pick<DeviceRecord, 'iss' | 'iat' | 'jti' | 'deviceId'>): DeviceRecord {
  const { akName, akPublic, qualifiedSigner, registerName, counterName, ekRoot, simulated, tierMax } = facts;
  return { ...ids, akName, akPublic, qualifiedSigner, registerName, counterName, ekRoot, firmware: readAttest(evidence.quote).firmwareVersion, simulated, tierMax };
}
