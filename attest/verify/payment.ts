/** One payment's evidence: is this exactly the payment that the enrolled TPM bound, on that platform, by that agent? */
import { fromB64u, sha256 } from '../../src/base/bytes.js';
import { type Finding, fault, finding } from '../../src/base/fault.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { TIERS, lower } from '../../src/names.js';
import type { TrustVector } from '../../src/objects/ear.js';
import type { Policy } from '../../src/objects/decision.js';
import type { Binding, PaymentEvidence, PlatformEvidence } from '../../src/objects/evidence.js';
import { rootFrom } from '../batch.js';
import { logEnd, paymentQualifyingData } from '../evidence.js';
import { type Extended, assertBoot, extendHead } from '../head.js';
import { type Breach, environmentBreaches } from '../environment.js';
import { compareWithManifest } from '../manifest.js';
import { type ImaStanding, imaBeginning, parseIma, takeEntries } from '../ima/index.js';
import type { Advance, LogHead, PaymentInput, PaymentResult, PlatformAppraisal, Submodule } from '../types.js';
import { type EnrolledKey, authenticate } from './attest.js';
import { type ClockInfo, assertForward, assertFresh, assertSequence } from './clock.js';
import { assertCounted } from './counted.js';
import { enrolledKey } from './device.js';
import { type EvidenceHashes, hashesOf } from './hashes.js';
import { appraisePlatform, assertFirmware, platformClaims, policyFindings, tierOf } from './platform.js';
import { assertLogIndex, assertRegister } from './nv.js';
import { type Judged, Refusal, untilRefused } from './refusal.js';
import { BROKEN_VECTOR, type NoteValues, inOrder, submodule, weighing, worst } from './status.js';

/** What was proven of a payment. */
interface Proven { readonly clockInfo: ClockInfo; readonly log: Extended; readonly platform: PlatformAppraisal }

/** Appraises one payment: authenticity stops at the first failure, agent and policy are judged whole. Never throws for what the evidence holds. */
export function appraisePayment(input: PaymentInput): PaymentResult {
  const hashes = hashesOf(input.evidence, input.platform);
  const judged = untilRefused(() => provePayment(input, hashes));
  return judged.ok ? affirmed(input, judged.value, hashes) : refused(input, judged, hashes);
}

/** The checklist, in the order that nothing is used before it is proven. @throws Fault with the code of the first step that fails */
function provePayment(input: PaymentInput, hashes: EvidenceHashes): Proven {
  const { evidence, device, policy } = input;
  const { payment } = evidence;
  const record = device.record.value;
  if (evidence.akName !== record.akName) throw fault('device.unknown', { akName: evidence.akName });
  const ak = enrolledKey(device);
  const attest = authenticatePayment(ak, payment, hashes.leaf, record.registerName);
  assertBinding(input, hashes);
  assertForward(attest.clockInfo, device.clock);
  assertSequence(payment.binding.seq, device.clock);
  assertCounted(ak, evidence, hashes.leaf, attest.clockInfo, device);
  assertFirmware(attest.firmwareVersion, record);
  const platform = provenPlatform(input);
  assertFresh(platform, attest.clockInfo, policy.platformMaxAgeMs);
  assertLogIndex(payment.log.entries, record);
  const log = extendHead(device.head ?? headOf(input), payment.log);
  assertBoot(log, attest.clockInfo, device.latest);
  if (attest.type === 'nv') assertRegister(attest.attested, record.registerName, log.head.register);
  return { clockInfo: attest.clockInfo, log, platform };
}

/** A device with a register binds by certifying it; only one without (tier T1) may bind by a quote, whose PCRs are not looked at: the platform part has them. */
function authenticatePayment(ak: EnrolledKey, { batch, register, quote }: PaymentEvidence, leaf: Buffer, registerName: string | null) {
  const root = rootFrom(leaf, batch);
  if (root === null) throw fault('batch.path');
  if (registerName !== null && register === null) throw fault('register.missing');
  if (register !== null && quote === null) return authenticate(ak, register, 'nv', 'payment', paymentQualifyingData(root));
  if (quote !== null && register === null) return authenticate(ak, quote, 'quote', 'payment', paymentQualifyingData(root));
  throw fault('quote.malformed', { what: 'a payment has one attestation' });
}

/** Each thing that came along must be the one that was signed. */
function assertBinding({ evidence: { payment: { binding, log } }, expected }: PaymentInput, { agentSha256, platformSha256 }: EvidenceHashes): void {
  const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt, ctr = null } = expected;
  const wanted: Omit<Binding, 'v' | 'seq'> = { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt, agentSha256, platformSha256, logN: logEnd(log), logEpoch: log.epoch, ctr };
  for (const member in wanted) if (binding[member as keyof typeof wanted] !== wanted[member as keyof typeof wanted]) throw fault('binding.mismatch', { what: member });
}

/** The kept appraisal of exactly this platform part, or one made now. @throws Fault with its first finding when it is not authentic */
function provenPlatform(input: PaymentInput): PlatformAppraisal {
  const { evidence, device } = input;
  const platform = input.platform?.appraisal ?? appraiseEnclosed(input);
  if (platform.platformSha256 !== evidence.payment.binding.platformSha256 || platform.akName !== device.record.value.akName) throw fault('quote.missing');
  const [refusal] = platform.findings;
  if (!platform.authentic) throw refusal === undefined ? fault('quote.missing') : new Refusal(refusal);
  return platform;
}

/**
 * Offline: the platform part as it stands in the evidence. Its nonce was the verifier's business then; what counts now is that it is this TPM's, of this
 * boot, and that its register is what the log was at that position.
 */
function appraiseEnclosed({ evidence: { platform, payment }, expected, device, policy, earlier = [], earlierIma }: PaymentInput): PlatformAppraisal {
  const { nonce, logN, logEpoch } = platform.binding;
  const records = [...earlier, ...payment.log.entries].slice(0, logN);
  const { head } = extendHead(null, { epoch: logEpoch, from: payment.log.from - earlier.length, entries: records });
  const log = { epoch: logEpoch, from: head.nextN, entries: [] };
  return appraisePlatform({ evidence: platform, log, nonce, aud: expected.aud, device: { ...device, clock: null, head, latest: null }, policy, connection: false, ima: earlierIma ? standingAfter(earlierIma, platform, policy) : null }).appraisal;
}

/** The IMA list before the part that the platform shows. One that cannot be read leads nowhere. */
function standingAfter(list: Uint8Array, { quote: { bank } }: PlatformEvidence, { ima }: Policy): ImaStanding | null {
  const read = untilRefused(() => takeEntries(imaBeginning(bank, ima), parseIma('ima-binary', list), ima));
  return read.ok ? read.value : null;
}

/** The history before the delta, where the verifier has none but the records came along. */
const headOf = ({ earlier = [], evidence: { payment: { log } } }: PaymentInput): LogHead | null =>
  (earlier.length === 0 ? null : extendHead(null, { epoch: log.epoch, from: 0, entries: [...earlier] }).head);

function agentFindings({ manifest, evidence: { payment: { agent } } }: PaymentInput): Finding[] {
  if (manifest === null) return [finding('agent.manifest')];
  const isNamed = agent.manifestSha256 === manifest.sha256 && agent.agentId === manifest.value.agent.id;
  return [...(isNamed ? [] : [finding('agent.version_not_authorised', { what: 'it was measured against another manifest' })]), ...compareWithManifest(agent, manifest.value)];
}

/** In attach mode command line and environment are the process's own memory: they may lower the appraisal, never satisfy a check. */
const agentClaims = ({ mode }: AgentClaims): TrustVector => ({ 'instance-identity': 2, executables: 2, 'file-system': 2, ...(mode === 'launch' ? { configuration: 2 } : {}) });

const VALUES: Partial<Record<Breach['weight'], number>> = { warning: 36, contraindicated: 96 };
const valuesOf = (breaches: readonly Breach[]): NoteValues => new Map(breaches.flatMap(({ finding: { code }, weight }) => (VALUES[weight] === undefined ? [] : [[code, VALUES[weight]]])));

function affirmed(input: PaymentInput, { clockInfo, log, platform: kept }: Proven, { evidenceSha256 }: EvidenceHashes): PaymentResult {
  const { evidence, device, policy } = input;
  const record = device.record.value;
  const platform = submodule('platform', platformClaims(record), [...kept.findings, ...policyFindings(record, policy, evidence.platform)]);
  const sidecar = submodule('sidecar', { 'instance-identity': 2, 'storage-opaque': 2 }, []);
  const breaches = environmentBreaches(evidence.payment.agent, policy.environment);
  const notes = valuesOf(breaches);
  const agent = submodule('agent', agentClaims(evidence.payment.agent), [...agentFindings(input), ...breaches.map((breach) => breach.finding)], notes);
  const tier = lower(TIERS, tierOf(record), kept.tier);
  return {
    authentic: true, ...summary(platform, sidecar, agent, notes), tier: breaches.some(({ weight }) => weight === 'tier') ? lower(TIERS, tier, 'T2') : tier, simulated: record.simulated,
    evidenceSha256, platformAppraisal: kept, next: advance(input, clockInfo, log),
  };
}

function summary(platform: Submodule, sidecar: Submodule, agent: Submodule, notes: NoteValues = new Map()): Pick<PaymentResult, 'code' | 'status' | 'platform' | 'sidecar' | 'agent' | 'findings'> {
  const findings = inOrder([platform, sidecar, agent].flatMap((part) => part.findings));
  return { code: findings.find(weighing(notes))?.code ?? null, status: worst([platform.status, sidecar.status, agent.status]), platform, sidecar, agent, findings };
}

function refused({ device }: PaymentInput, { refusal }: Judged<unknown> & { ok: false }, { evidenceSha256 }: EvidenceHashes): PaymentResult {
  const broken = submodule('platform', BROKEN_VECTOR, []);
  return {
    authentic: false, ...summary({ ...broken, findings: [refusal] }, broken, broken), tier: 'T0', simulated: device.record.value.simulated,
    evidenceSha256, platformAppraisal: null, next: null,
  };
}

function advance({ evidence: { payment }, device }: PaymentInput, { resetCount, restartCount, clock }: ClockInfo, { head, rows, anchor }: Extended): Advance {
  const { attest } = payment.register ?? payment.quote!;
  return {
    clock: { resetCount, restartCount, clock, seq: payment.binding.seq, ctr: payment.binding.ctr ?? device.clock?.ctr ?? null, attestSha256: sha256(fromB64u(attest) ?? '') },
    head: { ...head, resetCount, restartCount }, entries: rows, anchor,
  };
}
