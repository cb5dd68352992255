/** What the daemon knows of its TPM: one object that proves, and says how much its proof is worth. */
import type { Sha256 } from '../../src/base/bytes.js';
import type { Json } from '../../src/base/json.js';
import type { Signer } from '../../src/base/jws.js';
import type { Code } from '../../src/codes.js';
import type { LinkBody } from '../../src/link.js';
import type { LogKind, Tier } from '../../src/names.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import type { LogDelta, PaymentEvidence, PlatformEvidence } from '../../src/objects/evidence.js';
import type { ImaPlace } from './kernellogs.js';
import type { ListBefore } from './listcopy.js';
import type { OfflineProof, OfflineRequest } from './offline.js';

/** `[tpm]` and `[state]` of the configuration. Handles are numbers (0x01d10300); authorisations come by file path only. */
export interface ProverConfig {
  /** `device:/dev/tpmrm0`, `swtpm:unix:PATH` or `swtpm:tcp:HOST:PORT`. */
  channel: string;
  registerIndex: number;
  counterIndex: number;
  ownerAuthFile?: string | undefined;
  endorsementAuthFile?: string | undefined;
  /** The attestation key that a cloud made in its virtual TPM. */
  provider?: ProviderConfig | undefined;
  /** An existing directory of this daemon alone (0700). */
  stateDir: string;
  /** Where the kernel shows its logs of what was measured into this TPM. By default /sys/kernel/security for a kernel's TPM, and none for another. */
  securityfs?: string | undefined;
}

/**
 * `key`: a persistent handle, or the NV index of the template that the TPM makes the key from in the endorsement hierarchy. `certificate`: an NV index, or a
 * PEM file in which authorities may follow.
 */
export interface ProviderConfig { key: number; certificate: number | string }

/** Structured log lines, as pino writes them. */
export interface Log { info(facts: object, message: string): void; warn(facts: object, message: string): void }

/** One line of `ari doctor`. `fix` says what to do when not `ok`, and is null otherwise. */
export interface Fact { name: string; ok: boolean; detail: string; fix: string | null }

/** A platform part is asked for at connection (then the counter is certified too) and whenever {@link Prover.platformChanged} or its age says so. */
export interface PlatformRequest {
  nonce: Sha256;
  aud: string;
  pcrs: readonly number[];
  connection: boolean;
  /** Where the part of the kernel's IMA list begins; null: none is shown. */
  ima: ImaPlace | null;
}

/** What one payment binds. `logFrom` is the number of the first log entry that the verifier does not have. */
export interface ProofParts {
  nonce: Sha256;
  aud: string;
  paymentSha256: Sha256;
  mandateSha256: Sha256;
  closedSha256: Sha256;
  agent: AgentClaims;
  jkt: Sha256;
  platformSha256: Sha256;
  logFrom: number;
}

/** What only the TPM that holds the EK and the attestation key can say. */
export type EnrolAnswer = Pick<LinkBody<'enrol_proof'>, 'sessionId' | 'answer' | 'certify'>;

/**
 * The device's proof. No method waits for more than the TPM; each throws a `tpm.*` fault when the TPM cannot answer, and the daemon lives on:
 * the tier falls to T0, and `recover` finds the TPM again. Below tier T1 every method that needs a TPM throws the fault that `reason` names.
 */
export interface Prover {
  /** What this device can put forward: T2 with a certificate of the EK or of a cloud's key and a register, T1 without one of them, T0 without a TPM. The verifier decides what it is worth. */
  readonly tier: Tier;
  /** Why the tier is not T2; null when it is. */
  readonly reason: string | null;
  /** What is wrong with the TPM at T0; null while it answers. */
  readonly fault: Code | null;
  /** Name of the attestation key, lower-case hex; null at T0. */
  readonly akName: string | null;
  enrolBegin(code: string): LinkBody<'enrol_begin'>;
  /** The answer to the challenge and, where a cloud's key was shown, its certification. */
  enrolAnswer(challenge: LinkBody<'enrol_challenge'>): Promise<EnrolAnswer>;
  /** Begins the log with a `boot_anchor` over this nonce of the verifier when the register was cleared or never written; else nothing. `platform` does it too. */
  beginEpoch(nonce: Sha256): Promise<void>;
  /**
   * Logs a measurement, then extends the register. A record equal to the latest of its kind and `agent_id` is not repeated, so that callers may
   * append what they measured before each payment. @throws Fault link.stale when there is no epoch yet
   */
  append(kind: LogKind, data: Record<string, Json>): Promise<void>;
  /** The log of this epoch from an entry on. @throws Fault link.stale when there is no epoch yet */
  log(from: number): LogDelta;
  /** Quote, register and (at connection) counter over one nonce. One refresh is in flight: a second caller waits for its turn. */
  platform(request: PlatformRequest): Promise<PlatformEvidence>;
  /** The next piece of an IMA list of which more is left than {@link platform} can carry; null when the rest fits, or no list can be shown. */
  imaPiece(place: ImaPlace): Promise<LinkBody<'ima_append'> | null>;
  /** Keeps the IMA list before a place for the bundles of payments that rest on it; null where nothing is before it, or there is no list. */
  keepIma(place: ImaPlace): Promise<ListBefore | null>;
  /** True when the TPM was reset or a selected PCR other than 10 changed since the last `platform`: quote again at once. The device's economy, not evidence. */
  platformChanged(): Promise<boolean>;
  /** Binds one payment. Calls that arrive while the TPM is busy share the next signature; a lone one waits for nobody. */
  prove(parts: ProofParts): Promise<PaymentEvidence>;
  /** Counts and binds one payment without a verifier. The agent's key must have been asked for before: it may need the TPM. */
  proveOffline(request: OfflineRequest): Promise<OfflineProof>;
  /**
   * The agent's payment key K_a: made at first use, sealed at rest by the TPM (a 0600 file at T0). While the TPM that sealed it does not answer, the
   * signer knows its public key and its `sign` throws the fault. Ask for each payment: do not keep it.
   */
  agentKey(agentId: string): Promise<Signer>;
  doctor(): Promise<Fact[]>;
  /** Looks for the TPM again after a fault; nothing while it answers. @returns true when it was found: then say hello again, the key may be another */
  recover(): Promise<boolean>;
  close(): Promise<void>;
}
