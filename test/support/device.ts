/**
 * A device for tests: a software TPM with an attestation key, register and counter exactly as enrolment demands, and a log that it measures into. It makes
 * real evidence, and, through `certify`, `quote` and the TPM itself, the evidence of an attacker who holds the key's authorisation.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  ActivateCredential, Create, EvictControl, Load, NV_Certify, NV_DefineSpace, NV_Extend, NV_Increment, NV_UndefineSpace, NvPublic, PCR_Extend, PCR_Read, PolicySecret, Public, Quote, ReadClock,
  RH, Shutdown, Signature, Startup, type Tpm, connect, counterPublic, createEk, type EkKind, encode, nameOf, nvNameOf, password, policySecretDigest, readEkCertificate, registerPublic, selectPcrs, templates, withEkSession, written,
} from '@ari-sidecar/tpm2';
import { type Swtpm, startSwtpm } from '../../tpm2/test/support/swtpm.js';
import { fromB64u, sha256, toB64u, type Sha256 } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import type { Json } from '../../src/base/json.js';
import type { LogKind } from '../../src/names.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import type { Policy } from '../../src/objects/decision.js';
import {
  type Attestation, type Binding, EVIDENCE_PROFILE, type Evidence, type LogDelta, type LogEntry, type PaymentEvidence, type PlatformEvidence, platformHash, platformQualifyingData,
} from '../../src/objects/evidence.js';
import { open, seal } from '../../src/objects/signed.js';
import { batchOf } from '../../attest/batch.js';
import { type BindingParts, bindingFor, paymentEvidenceOf, paymentQualifyingData, platformBindingFor } from '../../attest/evidence.js';
import { type EnrolmentFacts, type PinnedRoot, checkEnrolment, deviceRecordOf, onlyRoots, pinRoots } from '../../attest/enrol/index.js';
import { bootAnchorContent, entryDigest, epochOf, logEntry } from '../../attest/log.js';
import type { KnownDevice } from '../../attest/types.js';
import { claimsFor, verifiedManifest } from './agent.js';
import { NOW, VERIFIER, policy as examplePolicy } from './examples.js';
import { SIGNERS, keys } from './keys.js';

const AK_HANDLE = 0x8102a710;
const REGISTER = 0x01d10300;
const COUNTER = 0x01d10301;
const NONE = Buffer.alloc(0);
export const PCRS = [0, 4, 7];
/** The PCRs of these tests, and a simulated TPM allowed: nothing else could be tested with. */
export const TEST_POLICY: Policy = { ...examplePolicy, allowSimulated: true, pcrs: PCRS };

const pemBody = (pem: string): string => toB64u(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64'));
const rootsOf = (swtpm: Swtpm): PinnedRoot[] => pinRoots(swtpm.caRootPem, { simulated: true });

export { MANIFEST, claimsFor, verifiedManifest } from './agent.js';

/** The certificates of a fresh TPM begin now. */
export const certificateTime = (): number => Math.floor(Date.now() / 1000) + 1;

export interface DeviceOptions {
  ek?: EkKind;
  /** False: an enrolment without register and counter (tier T1). */
  register?: boolean;
  /** False: the EK certificate is not shown (tier T1). */
  certificate?: boolean;
  ak?: Public;
  /** What its firmware extends in each boot (SHA-256 bank); by default one event in each of {@link PCRS}. */
  measures?: readonly Measured[];
}
export interface Measured { readonly pcr: number; readonly digest: Buffer }

/** Everything but `nonce` and `seq` has a default; see {@link TestDevice.pay}. */
export type PaymentOverrides = Partial<BindingParts> & { logFrom?: number };

export class TestDevice {
  readonly swtpm: Swtpm;
  readonly tpm: Tpm;
  readonly roots: PinnedRoot[];
  readonly ek: EkKind;
  /** The key's authorisation: with it an attacker signs whatever the TPM lets this key sign. */
  readonly auth = password(randomBytes(32));
  begin!: LinkBody<'enrol_begin'>;
  facts!: EnrolmentFacts;
  record!: KnownDevice['record'];
  log: LogEntry[] = [];
  readonly manifest = verifiedManifest();
  akName!: Buffer;
  akPublic!: Public;
  ekPublic!: Public;
  private registerArea: NvPublic | null = null;
  private counterArea: NvPublic | null = null;
  private seq = 0;
  private readonly measures: readonly Measured[];

  private constructor(swtpm: Swtpm, tpm: Tpm, ek: EkKind, measures: readonly Measured[]) {
    this.swtpm = swtpm;
    this.tpm = tpm;
    this.ek = ek;
    this.measures = measures;
    this.roots = rootsOf(swtpm);
  }

  /** A new TPM, its keys and indices, a log with its anchor, and the record that a verifier would sign. About two seconds. */
  static async start({ ek = 'ekRsa2048', register = true, certificate = true, ak = templates.akP256, measures = PCRS.map((pcr) => ({ pcr, digest: Buffer.alloc(32, pcr + 1) })) }: DeviceOptions = {}): Promise<TestDevice> {
    const swtpm = await startSwtpm({ ecCertificate: ek === 'ekP256' });
    const device = new TestDevice(swtpm, await connect(swtpm.spec), ek, measures);
    await device.firmwareMeasures();
    await device.makeKeys(ak);
    if (register) await device.defineIndices();
    device.begin = await device.enrolBegin(certificate);
    await device.beginEpoch(sha256('first nonce'));
    device.facts = checkEnrolment(device.begin, onlyRoots(device.roots), certificateTime());
    device.record = await device.signedRecord();
    return device;
  }

  async stop(): Promise<void> {
    await this.tpm.close();
    await this.swtpm.stop();
  }

  get key() {
    return { handle: AK_HANDLE, name: this.akName, auth: this.auth };
  }

  /** swtpm has no firmware: somebody must have extended PCR 0 and the others before an operating system runs. */
  async firmwareMeasures(): Promise<void> {
    for (const { pcr, digest } of this.measures) await this.extendPcr(pcr, digest);
  }

  async extendPcr(pcr: number, digest: Buffer): Promise<void> {
    await this.tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest }] });
  }

  private async makeKeys(template: Public): Promise<void> {
    const { tpm, ek } = this;
    await tpm.withObject(createEk(tpm, ek), async (parent) => {
      const entity = (auth: Parameters<Parameters<typeof withEkSession>[2]>[0]) => ({ handle: parent.objectHandle, name: parent.name, auth });
      const inSensitive = { userAuth: this.auth.value, data: NONE };
      const made = await withEkSession(tpm, ek, (session) => tpm.run(Create, { parentHandle: entity(session) }, { inSensitive, inPublic: template, outsideInfo: NONE, creationPCR: [] }));
      const load = withEkSession(tpm, ek, (session) => tpm.run(Load, { parentHandle: entity(session) }, { inPrivate: made.outPrivate, inPublic: made.outPublic }));
      await tpm.withObject(load, ({ objectHandle }) => tpm.run(EvictControl, { auth: RH.OWNER, objectHandle }, { persistentHandle: AK_HANDLE }));
      this.akName = nameOf(made.outPublic);
      this.akPublic = made.outPublic;
      this.ekPublic = parent.outPublic;
    });
  }

  /** Another attestation key of the same TPM, with indices that only it may write. */
  async replaceKey(): Promise<void> {
    for (const area of [this.registerArea!, this.counterArea!]) await this.tpm.run(NV_UndefineSpace, { authHandle: RH.OWNER, nvIndex: { handle: area.nvIndex, name: nvNameOf(written(area)) } }, {});
    await this.tpm.run(EvictControl, { auth: RH.OWNER, objectHandle: { handle: AK_HANDLE, name: this.akName } }, { persistentHandle: AK_HANDLE });
    await this.makeKeys(templates.akP256);
    await this.defineIndices();
    this.begin = await this.enrolBegin(true);
  }

  /** Also what an attacker does: undefining and defining again needs no more than the (empty) owner auth. */
  async defineIndices(): Promise<void> {
    const policy = policySecretDigest(this.akName);
    this.registerArea = registerPublic(REGISTER, policy);
    this.counterArea = counterPublic(COUNTER, policy);
    for (const publicInfo of [this.registerArea, this.counterArea]) await this.tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo });
    await this.increment();
  }

  /** Undefines the register, defines it anew under the same public area and extends it with another history. */
  async rewriteRegister(entries: readonly LogEntry[]): Promise<void> {
    const index = { handle: REGISTER, name: nvNameOf(written(this.registerArea!)) };
    await this.tpm.run(NV_UndefineSpace, { authHandle: RH.OWNER, nvIndex: index }, {});
    await this.tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: this.registerArea! });
    await this.replay(entries);
  }

  private async enrolBegin(certificate: boolean): Promise<LinkBody<'enrol_begin'>> {
    const der = certificate ? await readEkCertificate(this.tpm, this.ek) : null;
    return {
      code: 'code', ekCertificate: der === null ? null : toB64u(der), ekChain: der === null ? [] : [pemBody(this.swtpm.caIssuerPem)],
      ekPublic: toB64u(encode(Public, this.ekPublic)), akPublic: toB64u(encode(Public, this.akPublic)),
      registerPublic: this.registerArea === null ? null : toB64u(encode(NvPublic, this.registerArea)),
      counterPublic: this.counterArea === null ? null : toB64u(encode(NvPublic, this.counterArea)),
      provider: null,
    };
  }

  private async signedRecord(): Promise<KnownDevice['record']> {
    const draft = deviceRecordOf(this.facts, await this.platform({ nonce: sha256('enrolment') }), { iss: VERIFIER, iat: NOW, jti: 'record-1', deviceId: 'dev_01JD0000000000000000000000' });
    return open(DEVICE_RECORD, seal(DEVICE_RECORD, draft, SIGNERS.verifier), keys);
  }

  /** What a verifier knows that has seen this record and nothing else. */
  known(overrides: Partial<KnownDevice> = {}): KnownDevice {
    return { record: this.record, state: 'enrolled', clock: null, head: null, latest: null, ...overrides };
  }

  async answer({ credentialBlob, encryptedSecret, sessionId }: LinkBody<'enrol_challenge'>, ek = this.ek): Promise<Buffer> {
    const { tpm } = this;
    const secret = await tpm.withObject(createEk(tpm, ek), (parent) => withEkSession(tpm, ek, async (session) => {
      const keyHandle = { handle: parent.objectHandle, name: parent.name, auth: session };
      return (await tpm.run(ActivateCredential, { activateHandle: this.key, keyHandle }, { credentialBlob: fromB64u(credentialBlob)!, secret: fromB64u(encryptedSecret)! })).certInfo;
    }));
    return createHmac('sha256', secret).update(sessionId).update(this.akName).digest();
  }

  /** A new log: after a reset cleared the register, or in the first boot. */
  async beginEpoch(nonce: Sha256): Promise<void> {
    const { resetCount, restartCount } = (await this.tpm.run(ReadClock, {}, {})).currentTime.clockInfo;
    this.log = [];
    await this.append(logEntry(0, REGISTER.toString(16).padStart(8, '0'), bootAnchorContent({ random: toB64u(randomBytes(16)), resetCount, restartCount, nonce })));
  }

  /**
   * As a machine does it: `resume` keeps the register, `restart` (hibernation) and `reset` clear it; only a reset raises resetCount.
   * Firmware measures again after all but a resume.
   */
  async reboot(how: 'resume' | 'restart' | 'reset'): Promise<void> {
    await this.tpm.run(Shutdown, {}, { shutdownType: how === 'reset' ? 'clear' : 'state' });
    await this.swtpm.reset('none');
    await this.tpm.run(Startup, {}, { startupType: how === 'resume' ? 'state' : 'clear' });
    if (how !== 'resume') await this.firmwareMeasures();
  }

  /** Extends the register with records of an earlier log. */
  async replay(entries: readonly LogEntry[]): Promise<void> {
    this.log = [...entries];
    for (const entry of entries) await this.extend(entryDigest(entry));
  }

  /** What root can do: another log of the same boot, in a register that was defined again. */
  async beginEpochAgain(): Promise<void> {
    await this.rewriteRegister([]);
    await this.beginEpoch(sha256('another nonce'));
  }

  async measure(kind: LogKind, data: Record<string, Json> = {}): Promise<void> {
    await this.append(this.entry(kind, data));
  }

  /** The next record, not written anywhere. */
  entry(kind: LogKind, data: Record<string, Json> = {}): LogEntry {
    return logEntry(this.log.length, '01d10300', { kind, data });
  }

  private async append(entry: LogEntry): Promise<void> {
    this.log.push(entry);
    if (this.registerArea !== null) await this.extend(entryDigest(entry));
  }

  private async extend(data: Uint8Array): Promise<void> {
    await this.withIndex(this.registerArea!, (entity) => this.tpm.run(NV_Extend, { authHandle: entity, nvIndex: entity }, { data }));
  }

  async increment(): Promise<void> {
    await this.withIndex(this.counterArea!, (entity) => this.tpm.run(NV_Increment, { authHandle: entity, nvIndex: entity }, {}));
  }

  private async withIndex(area: NvPublic, use: (entity: { handle: number; name: Uint8Array; auth: Awaited<ReturnType<Tpm['startSession']>> }) => Promise<unknown>): Promise<void> {
    const { name = NONE } = await this.tpm.entity(area.nvIndex);
    await this.tpm.withSession({ type: 'policy' }, async (session) => {
      await this.tpm.run(PolicySecret, { authHandle: this.key, policySession: session.handle }, { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 });
      await use({ handle: area.nvIndex, name, auth: session });
    });
  }

  /** NV_Certify of the register or the counter; by default the whole of it. */
  async certify(what: 'register' | 'counter', qualifyingData: Uint8Array, range?: { size: number; offset: number }): Promise<Attestation> {
    const area = what === 'register' ? this.registerArea! : this.counterArea!;
    const index = await this.tpm.entity(area.nvIndex);
    const { certifyInfo, signature } = await this.tpm.run(NV_Certify, { signHandle: this.key, authHandle: index, nvIndex: index }, { qualifyingData, inScheme: { scheme: 'null' }, ...(range ?? { size: area.dataSize, offset: 0 }) });
    return { attest: toB64u(certifyInfo), signature: toB64u(encode(Signature, signature)) };
  }

  async quote(qualifyingData: Uint8Array, selection = selectPcrs('sha256', PCRS), signHandle: { handle: number; name: Buffer; auth: ReturnType<typeof password> } = this.key): Promise<Attestation> {
    const { quoted, signature } = await this.tpm.run(Quote, { signHandle }, { qualifyingData, inScheme: { scheme: 'null' }, PCRselect: selection });
    return { attest: toB64u(quoted), signature: toB64u(encode(Signature, signature)) };
  }

  async pcrs(pcrs: readonly number[] = PCRS, bank: 'sha256' | 'sha384' = 'sha256'): Promise<Record<string, string>> {
    const values: [string, string][] = [];
    const sorted = [...pcrs].sort((a, b) => a - b);
    for (let i = 0; i < sorted.length; i += 8) {
      const { pcrValues } = await this.tpm.run(PCR_Read, {}, { pcrSelectionIn: selectPcrs(bank, sorted.slice(i, i + 8)) });
      pcrValues.forEach((value, j) => values.push([String(sorted[i + j]), value.toString('hex')]));
    }
    return Object.fromEntries(values);
  }

  get position(): { epoch: Sha256; n: number } {
    return { epoch: epochOf(this.log[0]!), n: this.log.length };
  }

  delta(from = 0): LogDelta {
    return { epoch: this.position.epoch, from, entries: this.log.slice(from) };
  }

  async platform({ nonce, aud = VERIFIER, counter = true, pcrs = PCRS, logs = {} }: { nonce: Sha256; aud?: string; counter?: boolean; pcrs?: readonly number[]; logs?: Partial<Pick<PlatformEvidence, 'boot' | 'ima'>> }): Promise<PlatformEvidence> {
    const binding = platformBindingFor(nonce, aud, this.position);
    const quote = { ...(await this.quote(platformQualifyingData('quote', binding), selectPcrs('sha256', pcrs))), bank: 'sha256' as const, pcrs: await this.pcrs(pcrs) };
    const hasRegister = this.registerArea !== null;
    return {
      binding, quote,
      register: hasRegister ? await this.certify('register', platformQualifyingData('register', binding)) : null,
      counter: hasRegister && counter ? await this.certify('counter', platformQualifyingData('counter', binding)) : null,
      boot: null, ima: null, ...logs,
    };
  }

  /** The parts of a binding; all that is not said belongs to no real payment. */
  parts(platform: PlatformEvidence, overrides: PaymentOverrides = {}): BindingParts {
    const { logFrom: _, ...rest } = overrides;
    return {
      nonce: sha256(randomBytes(32)), aud: VERIFIER, paymentSha256: sha256('payment'), mandateSha256: sha256('mandate'), closedSha256: sha256('closed'), jkt: sha256('key'),
      platformSha256: platformHash(platform), agent: claimsFor(this.manifest), log: this.position, seq: ++this.seq, ctr: null, ...rest,
    };
  }

  /** One TPM signature over all of these payments, as the sidecar makes it: the evidence of each. */
  async payAll(platform: PlatformEvidence, all: readonly PaymentOverrides[]): Promise<Evidence[]> {
    const each = all.map((overrides) => ({ parts: this.parts(platform, overrides), logFrom: overrides.logFrom ?? 0 }));
    const bindings: Binding[] = each.map(({ parts }) => bindingFor(parts));
    const { root, paths } = batchOf(bindings);
    const carrier = this.registerArea === null ? 'quote' : 'register';
    const data = paymentQualifyingData(root);
    const attestation = carrier === 'register' ? await this.certify('register', data) : await this.quote(data);
    return each.map(({ parts, logFrom }, i) => this.evidence(platform, paymentEvidenceOf({ binding: bindings[i]!, batch: paths[i]!, log: this.delta(logFrom), agent: parts.agent, carrier, attestation })));
  }

  async pay(platform: PlatformEvidence, overrides: PaymentOverrides = {}): Promise<Evidence> {
    return (await this.payAll(platform, [overrides]))[0]!;
  }

  evidence(platform: PlatformEvidence, payment: PaymentEvidence): Evidence {
    return { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: this.akName.toString('hex'), platform, payment };
  }
}
