/**
 * What verification takes and gives. Everything is an argument: time, policy, trust material, what is known of the device. Nothing here opens a file or a socket.
 */
import type { Sha256 } from '../src/base/bytes.js';
import type { Finding } from '../src/base/fault.js';
import type { Code } from '../src/codes.js';
import type { EarStatus, Tier } from '../src/names.js';
import type { Policy } from '../src/objects/decision.js';
import type { DeviceRecord } from '../src/objects/device.js';
import type { MeasuredBy, TrustVector } from '../src/objects/ear.js';
import type { Evidence, LogDelta, LogEntry, PlatformEvidence } from '../src/objects/evidence.js';
import type { AgentManifest } from '../src/objects/manifest.js';
import type { Verified } from '../src/objects/signed.js';
import type { ImaStanding } from './ima/index.js';
import type { BootAnchor } from './log.js';

/** Where one attestation key stands. (resetCount, restartCount) never fall, the clock not within them, `seq` rises strictly. */
export interface DeviceClock { resetCount: number; restartCount: number; clock: bigint; seq: number; ctr: bigint | null; attestSha256: Sha256 }
/** One epoch of the measurement log as the verifier knows it. `register` is the recomputed value, lower-case hex. */
export interface LogHead { epoch: Sha256; nextN: number; register: string; resetCount: number; restartCount: number }

/** What the verifier knows of a device before it reads new evidence. A bundle's verifier knows only the record: `clock` and `head` are null there. */
export interface KnownDevice {
  record: Verified<DeviceRecord>;
  state: 'enrolled' | 'suspended' | 'revoked';
  clock: DeviceClock | null;
  /** The head of the epoch that the evidence names; null when that epoch was never seen. */
  head: LogHead | null;
  /** The newest epoch of the device, to judge a new one. */
  latest: LogHead | null;
}

/** One claim of the appraisal: its findings, its AR4SI vector, and the status that follows. */
export interface Submodule { status: EarStatus; vector: TrustVector; findings: Finding[] }

/** The quoted platform, appraised once and cached under its hash by the verifier. JSON-safe through {@link encodePlatformAppraisal}. */
export interface PlatformAppraisal extends Submodule {
  platformSha256: Sha256;
  akName: string;
  /** False when a signature, name or binding is wrong: then nothing else of it may be used. */
  authentic: boolean;
  tier: Tier;
  simulated: boolean;
  firmware: bigint;
  resetCount: number;
  restartCount: number;
  /** Signed TPM clock of the quote, ms. */
  clock: bigint;
  ctr: bigint | null;
  bank: string;
  secureBoot: boolean | null;
  measuredBy: MeasuredBy;
}

declare const written: unique symbol;
/** A platform part and its appraisal, with the canonical text of the part and the hash over it. Only {@link keptOf} makes one, so that text and hash are its own. */
export interface KeptPlatform { readonly [written]: true; readonly evidence: PlatformEvidence; readonly text: string; readonly sha256: Sha256; readonly appraisal: PlatformAppraisal }

/**
 * What the verifier may store after authentic evidence: where the key now stands, and the log records that were not known. `anchor` is there when the
 * epoch is new: its nonce must be one that this verifier issued to the device, which only the issuer can tell.
 */
export interface Advance { clock: DeviceClock; head: LogHead; entries: LogRow[]; anchor: BootAnchor | null }

/** Appraised evidence of a connection: what the verifier may store. `next` is null unless authentic. */
export interface PlatformResult {
  appraisal: PlatformAppraisal;
  next: Advance | null;
  /** The IMA list as far as the quote covers it: what the next part goes on from. Null when none was shown, or none that holds. */
  ima: ImaStanding | null;
}
/** A log entry in the form of the store: its number, its digest (hex), its canonical JSON. */
export interface LogRow { n: number; digest: string; entry: string }

export interface PaymentResult {
  /** False when an authenticity step failed: `code` names it and the later steps were not looked at. */
  authentic: boolean;
  /** First finding in table order, null when there is none. */
  code: Code | null;
  status: EarStatus;
  tier: Tier;
  simulated: boolean;
  platform: Submodule;
  sidecar: Submodule;
  agent: Submodule;
  findings: Finding[];
  evidenceSha256: Sha256;
  /** The platform appraisal that this payment rests on; null unless authentic. */
  platformAppraisal: PlatformAppraisal | null;
  next: Advance | null;
}

/** What the payment says it is; each must be what the TPM signed. The nonce's freshness is the caller's: it is consumed in the store's transaction. */
export interface ExpectedBinding { nonce: Sha256; aud: string; paymentSha256: Sha256; mandateSha256: Sha256; closedSha256: Sha256; jkt: Sha256;
  /** The counter, of a payment made offline; absent when it was made online, and then none may be bound. */
  ctr?: bigint | undefined }

export interface PlatformInput {
  evidence: PlatformEvidence;
  log: LogDelta;
  nonce: Sha256;
  aud: string;
  device: KnownDevice;
  policy: Policy;
  /** connection: the counter is demanded */
  connection: boolean;
  /** Where this device's IMA list stood when a part of it was last shown. A standing of anything else leads to no quoted value. */
  ima?: ImaStanding | null;
}
export interface PaymentInput {
  evidence: Evidence;
  expected: ExpectedBinding;
  device: KnownDevice;
  /** What was kept for `binding.platform_sha256`; when null, the platform part inside the evidence is appraised here (offline verification). */
  platform: KeptPlatform | null;
  /** The manifest that the mandate names; null when it is not known. */
  manifest: Verified<AgentManifest> | null;
  policy: Policy;
  /** The epoch's records before the delta, from its first on, where `device.head` is null: the bundle of a late payment carries them. */
  earlier?: readonly LogEntry[];
  /** Likewise the IMA list, in bytes, before the part that the platform shows, where `platform` is null. */
  earlierIma?: Uint8Array | null;
}
