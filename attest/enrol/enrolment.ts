/** Enrolment as the verifier judges it: is this attestation key in a TPM that a pinned root vouches for, and is each public area the one that the house prescribes? */
import { Public, encode } from '@ari-sidecar/tpm2';
import { type Sha256, sha256 } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import type { Tier } from '../../src/names.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { readAttest } from '../verify/attest.js';
import { nameText } from '../x509/name.js';
import { readAk, readCounter, readEk, readRegister } from './keys.js';
import { type Provenance, type TpmTrust, endorsedBy } from './provenance.js';
import { type ProviderKey, readProvider } from './provider.js';

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
  /** The key of a cloud that must certify the attestation key: see {@link assertCertified}. */
  readonly provider: ProviderKey | null;
  /** By the endorsement key's certificate or, where there is none, by the provider's. Null: a TPM that nobody vouches for. */
  readonly provenance: Provenance | null;
  /** Subject of the pinned root that vouches: a TPM vendor's, or a provider's. */
  readonly ekRoot: string | null;
  readonly simulated: boolean;
  readonly tierMax: Tier;
}

/**
 * Judges what a device wants to enrol. A certificate that does not chain is refused; a TPM without one is taken at tier T1.
 * @throws Fault enrol.ek_template, enrol.ek_chain, enrol.ek_mismatch, enrol.ak_attributes, enrol.provider_key, enrol.ak_certificate, enrol.register
 */
export function checkEnrolment(begin: LinkBody<'enrol_begin'>, trust: TpmTrust, nowS: number): EnrolmentFacts {
  const ekPublic = readEk(begin.ekPublic);
  const ak = readAk(begin.akPublic, ekPublic);
  const { ekCertificate: certificate, ekChain: chain } = begin;
  const provider = begin.provider && readProvider(begin.provider, trust, nowS);
  const provenance = certificate === null ? (provider?.provenance ?? null) : endorsedBy({ certificate, chain, trust, nowS }, ekPublic);
  const simulated = [provenance, provider?.provenance].some((each) => each?.root.simulated === true);
  const registerName = begin.registerPublic === null ? null : readRegister(begin.registerPublic, ak);
  const counterName = begin.counterPublic === null ? null : readCounter(begin.counterPublic, ak);
  return {
    ekPublic, ekSha256: sha256(encode(Public, ekPublic)), akPublic: begin.akPublic, akName: ak.akName, qualifiedSigner: ak.qualifiedSigner, registerName, counterName,
    provider, provenance, ekRoot: provenance && rootName(provenance), simulated, tierMax: provenance !== null && registerName !== null ? 'T3' : 'T1',
  };
}

const rootName = ({ root: { certificate } }: Provenance): string => nameText(certificate.subject).slice(0, 512);

/**
 * The record of a device whose answer was right. `evidence` is its first platform part: the firmware version is read from it, and the evidence must
 * then be appraised under this very record before anything is kept.
 * @throws Fault intake.malformed
 */
export function deviceRecordOf(facts: EnrolmentFacts, evidence: PlatformEvidence, ids: Pick<DeviceRecord, 'iss' | 'iat' | 'jti' | 'deviceId'>): DeviceRecord {
  const { akName, akPublic, qualifiedSigner, registerName, counterName, ekRoot, simulated, tierMax } = facts;
  return { ...ids, akName, akPublic, qualifiedSigner, registerName, counterName, ekRoot, firmware: readAttest(evidence.quote).firmwareVersion, simulated, tierMax };
}
