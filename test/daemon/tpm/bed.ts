/** A prover on a software TPM, with a machine's other processes beside it, and a verifier that judges its evidence as the real one does. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PCR_Extend, type Tpm, connect } from '@ari-sidecar/tpm2';
import { afterAll, expect } from 'vitest';
import { assertCertified, certifyingData, type EnrolmentFacts, challengeFor, checkAnswer, checkEnrolment, deviceRecordOf, onlyRoots, type PinnedRoot, pinRoots } from '../../../attest/enrol/index.js';
import type { KnownDevice, PlatformAppraisal } from '../../../attest/types.js';
import { appraisePayment, appraisePlatform, keptOf } from '../../../attest/verify/index.js';
import { type Sha256, sha256 } from '../../../src/base/bytes.js';
import { DEVICE_RECORD } from '../../../src/objects/device.js';
import { EVIDENCE_PROFILE, type PaymentEvidence, type PlatformEvidence, platformHash } from '../../../src/objects/evidence.js';
import { open, seal } from '../../../src/objects/signed.js';
import { openProver } from '../../../daemon/tpm/prover.js';
import type { Log, ProofParts, Prover, ProverConfig } from '../../../daemon/tpm/types.js';
import { type Swtpm, startSwtpm } from '../../../tpm2/test/support/swtpm.js';
import { PCRS, TEST_POLICY, certificateTime, claimsFor, verifiedManifest } from '../../support/device.js';
import { VERIFIER } from '../../support/examples.js';
import { SIGNERS, keys } from '../../support/keys.js';
import { type Relay, startRelay } from '../../support/tpm-relay.js';

export const manifest = verifiedManifest();
export const claims = claimsFor(manifest);

let nonces = 0;
export const nonce = (): Sha256 => sha256(`nonce ${++nonces}`);

export interface Bed {
  readonly swtpm: Swtpm;
  readonly relay: Relay;
  readonly config: ProverConfig;
  /** What was logged: codes and events of warnings and of information. */
  readonly said: string[];
  readonly log: Log;
  /** A prover on the present state: what a start of the daemon opens. */
  open(changes?: Partial<ProverConfig>): Promise<Prover>;
  /** Another process of this machine with the device file open. */
  stranger<T>(act: (tpm: Tpm) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

const directory = (): Promise<string> => mkdtemp(join(tmpdir(), 'prover-'));
const made = new Map<boolean, Promise<string>>();
afterAll(async () => { for (const dir of made.values()) await rm(await dir, { recursive: true }); });

/** A manufactured TPM, at rest: the tests of one file begin with copies of it. */
async function manufacture(ecCertificate: boolean): Promise<string> {
  const dir = await directory();
  await (await startSwtpm({ dir, ecCertificate })).stop();
  return dir;
}

/** A TPM whose firmware has measured, and an empty state directory. */
export async function startBed({ ecCertificate = true }: { ecCertificate?: boolean } = {}): Promise<Bed> {
  const model = made.get(ecCertificate) ?? manufacture(ecCertificate);
  made.set(ecCertificate, model);
  const [dir, stateDir] = [await directory(), await directory()];
  await cp(await model, dir, { recursive: true, filter: (file) => !/\/s(?:\.ctrl)?$/.test(file) });
  const swtpm = await startSwtpm({ dir });
  const relay = await startRelay(swtpm.spec, join(swtpm.dir, 'relay'));
  const said: string[] = [];
  const say = (facts: object): void => { const { code, event } = facts as { code?: string; event?: string }; said.push(code ?? event ?? 'ready'); };
  const log: Log = { info: say, warn: say };
  const config: ProverConfig = { channel: relay.spec, registerIndex: 0x01d10300, counterIndex: 0x01d10301, stateDir };
  const provers: Prover[] = [];
  const bed: Bed = {
    swtpm, relay, config, said, log,
    async open(changes = {}) {
      const prover = await openProver({ ...config, ...changes }, log);
      provers.push(prover);
      return prover;
    },
    async stranger(act) {
      const tpm = await connect(relay.spec, { sweep: false });
      return act(tpm).finally(() => tpm.close());
    },
    async stop() {
      swtpm.resume();
      await Promise.all(provers.map((prover) => prover.close()));
      await relay.close();
      await swtpm.stop();
      await Promise.all([dir, stateDir].map((each) => rm(each, { recursive: true })));
    },
  };
  await measureFirmware(bed);
  return bed;
}

/** swtpm has no firmware: after each reset somebody must extend the PCRs that a quote covers. */
export const measureFirmware = (bed: Bed): Promise<void> => bed.stranger(async (tpm) => {
  for (const pcr of PCRS) await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, pcr + 1) }] });
});

/** A power cycle of the machine: the TPM and all that was open. */
export async function powerCycle(bed: Bed): Promise<void> {
  await bed.swtpm.reset('clear');
  await measureFirmware(bed);
}

export const proofParts = (platformSha256: Sha256, logFrom: number, payment = 'payment'): ProofParts => ({
  nonce: nonce(), aud: VERIFIER, paymentSha256: sha256(payment), mandateSha256: sha256('mandate'), closedSha256: sha256('closed'), agent: claims, jkt: sha256('key'), platformSha256, logFrom,
});

/** One device's standing with the verifier: the real checks, and a memory in place of the database. */
export class TestVerifier {
  known!: KnownDevice;
  platform!: PlatformEvidence;
  #appraisal!: PlatformAppraisal;
  readonly #bed: Bed;

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** The whole enrolment over the link, without the link. @returns what was computed from `enrol_begin` */
  async enrol(prover: Prover, more: readonly PinnedRoot[] = []): Promise<EnrolmentFacts> {
    const roots = [...pinRoots(this.#bed.swtpm.caRootPem, { simulated: true }), ...pinRoots(this.#bed.swtpm.caIssuerPem, { simulated: true }), ...more];
    const facts = checkEnrolment(prover.enrolBegin('code'), onlyRoots(roots), certificateTime());
    const first = nonce();
    const { challenge, expected } = challengeFor(facts, { secret: Buffer.alloc(32, 7), sessionId: 'session', nonce: first });
    const { answer, certify } = await prover.enrolAnswer(challenge);
    checkAnswer(expected, answer);
    if (facts.provider) assertCertified(facts.provider, facts, certifyingData('session', first), certify);
    const evidence = await prover.platform({ nonce: first, aud: VERIFIER, pcrs: PCRS, connection: true, ima: null });
    const draft = deviceRecordOf(facts, evidence, { iss: VERIFIER, iat: 1, jti: 'record', deviceId: 'dev_01JD0000000000000000000000' });
    this.known = { record: open(DEVICE_RECORD, seal(DEVICE_RECORD, draft, SIGNERS.verifier), keys), state: 'enrolled', clock: null, head: null, latest: null };
    expect(this.#judge(prover, evidence, first, true)).toEqual(facts.registerName === null ? ['register.missing'] : []);
    return facts;
  }

  /** Appraises a fresh platform part. @returns the codes of its findings */
  async connect(prover: Prover, { connection = true }: { connection?: boolean } = {}): Promise<string[]> {
    const fresh = nonce();
    return this.#judge(prover, await prover.platform({ nonce: fresh, aud: VERIFIER, pcrs: PCRS, connection, ima: null }), fresh, connection);
  }

  #judge(prover: Prover, evidence: PlatformEvidence, fresh: Sha256, connection: boolean): string[] {
    const log = prover.log(!connection && this.known.head?.epoch === evidence.binding.logEpoch ? this.known.head.nextN : 0);
    const head = this.known.head?.epoch === log.epoch ? this.known.head : null;
    const { appraisal, next } = appraisePlatform({ evidence, log, nonce: fresh, aud: VERIFIER, device: { ...this.known, head }, policy: TEST_POLICY, connection });
    if (next) {
      this.known = { ...this.known, clock: next.clock, head: next.head, latest: next.head };
      this.platform = evidence;
      this.#appraisal = appraisal;
    }
    return appraisal.findings.map(({ code }) => code);
  }

  parts(payment?: string): ProofParts {
    return proofParts(platformHash(this.platform), this.known.head?.nextN ?? 0, payment);
  }

  /** Appraises a payment as made for these parts. @returns its code, null when nothing is to be said against it */
  pay(parts: ProofParts, payment: PaymentEvidence): string | null {
    const { nonce: fresh, aud, paymentSha256, mandateSha256, closedSha256, jkt } = parts;
    const evidence = { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: this.known.record.value.akName, platform: this.platform, payment } as const;
    const expected = { nonce: fresh, aud, paymentSha256, mandateSha256, closedSha256, jkt };
    const { code, next } = appraisePayment({ evidence, expected, device: this.known, platform: this.#appraisal && keptOf(this.platform, this.#appraisal), manifest, policy: TEST_POLICY });
    if (next) this.known = { ...this.known, clock: next.clock, head: next.head, latest: next.head };
    return code;
  }
}
