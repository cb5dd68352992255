/**
 * Enrolment: a one-time code says who is responsible for a device, its TPM, for which a pinned root vouches, shows that it holds the attestation key
 * (MakeCredential, ActivateCredential; in a cloud, TPM2_Certify by the provider's key), and its first platform evidence, over the challenge's nonce, is appraised before anything is kept.
 *
 * The code comes first: nobody without one makes this process look at keys and certificates. It is reserved for the TPM that shows it and used only by the
 * transaction that records the device, so that a failed proof costs a new try and no new code.
 */
import { assertCertified, assertNotBlocked, certifyingData, challengeFor, checkAnswer, checkEnrolment, deviceRecordOf, type EnrolmentFacts } from '../attest/enrol/index.js';
import type { KnownDevice, PlatformResult } from '../attest/types.js';
import { appraisePlatform } from '../attest/verify/index.js';
import { sha256, type Sha256 } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import type { LinkBody } from '../src/link.js';
import { DEVICE_RECORD } from '../src/objects/device.js';
import { open, seal, tokenHash } from '../src/objects/signed.js';
import type { StatusReference } from '../src/objects/status.js';
import { freshId, type Verifier } from './context.js';
import { orderEvent } from './events.js';
import { knownDevice } from './known.js';
import { leafDraft } from './leaves.js';
import { statusOf } from './statuses.js';
import { assertAnchor, keepPlatform, refusalOf } from './platform.js';

/** A slow TPM needs seconds to activate a credential and to quote; a person is not waited for. */
const SESSION_MS = 60_000;

/** An enrolment that waits for its proof. It belongs to one connection. */
export interface Enrolling { readonly sessionId: string; readonly facts: EnrolmentFacts; readonly nonce: Sha256; readonly expiresMs: number }
export interface Enrolled { readonly deviceId: string; readonly akName: string; readonly record: string; readonly result: PlatformResult }

/** `akName`: the key that the connection said hello with. @throws Fault enrol.* */
export async function beginEnrolment(v: Verifier, akName: string | null, begin: LinkBody<'enrol_begin'>): Promise<{ enrolling: Enrolling; challenge: LinkBody<'enrol_challenge'> }> {
  const nowMs = v.now();
  const codeSha256 = sha256(begin.code);
  const by = await v.store.enrolCode(codeSha256, nowMs);
  if (!by) throw fault('enrol.code');
  const facts = checkEnrolment(begin, v.trust.tpm, Math.floor(nowMs / 1000));
  if (facts.akName !== akName) throw fault('enrol.ak_name');
  if (!by.reEnrol && (await v.store.deviceOfEk(facts.ekSha256))) throw fault('enrol.device_conflict');
  const sessionId = freshId(v, 'evt');
  const { nonce, expiresMs } = v.nonces.issue(facts.akName, nowMs);
  const { challenge, expected } = challengeFor(facts, { secret: v.random(32), sessionId, nonce });
  const session = { sessionId, ekSha256: facts.ekSha256, akName: facts.akName, secretMac: expected, codeSha256, expiresMs: nowMs + SESSION_MS, nowMs };
  if (!(await v.store.openEnrolSession(session))) throw fault('enrol.code');
  return { enrolling: { sessionId, facts, nonce, expiresMs }, challenge };
}

/** @throws Fault enrol.session, enrol.proof, enrol.certify, enrol.code, enrol.device_conflict, enrol.tpm_blocked, or the first finding of an appraisal that is not authentic */
export async function proveEnrolment(v: Verifier, { sessionId, facts, nonce, expiresMs }: Enrolling, proof: LinkBody<'enrol_proof'>): Promise<Enrolled> {
  const session = proof.sessionId === sessionId ? await v.store.useEnrolSession(sessionId, v.now()) : null;
  if (session?.akName !== facts.akName) throw fault('enrol.session');
  checkAnswer(session.secretMac, proof.answer);
  if (facts.provider) assertCertified(facts.provider, facts, certifyingData(sessionId, nonce), proof.certify);
  const known = await v.store.deviceOfEk(facts.ekSha256);
  const deviceId = known?.deviceId ?? freshId(v, 'dev');
  const token = sealRecord(v, facts, proof, deviceId, await statusOf(v, 'device', deviceId));
  const stands = known?.akName === facts.akName ? await standing(v, facts.akName, proof) : NEW_KEY;
  const device = { ...stands, record: open(DEVICE_RECORD, token, v.trust.keys), state: 'enrolled' } as const;
  const result = appraisePlatform({ evidence: proof.evidence, log: proof.log, nonce, aud: v.config.issuers.verifier, device, policy: v.trust.policy().value, connection: true });
  if (!result.next) throw refusalOf(result);
  assertNotBlocked(v.trust.tpm, facts, result.appraisal.firmware);
  assertAnchor(v, facts.akName, result);
  const { clock, head, entries } = result.next;
  await v.store.enrol({
    codeSha256: session.codeSha256, deviceId, ekSha256: facts.ekSha256, providerSha256: facts.provider?.sha256 ?? null, simulated: facts.simulated, akName: facts.akName, record: token,
    before: device.clock, clock, head, entries, leaf: { eventId: orderEvent(tokenHash(token), device.record.value.iat), draft: leafDraft(v, { kind: 'enrolled', chain: deviceId, subject: tokenHash(token) }) }, nowMs: v.now(),
  });
  v.log.soon();
  await keepPlatform(v, { deviceId, akName: facts.akName, evidence: proof.evidence, result, nonce: { value: nonce, expiresMs }, before: clock });
  return { deviceId, akName: facts.akName, record: token, result };
}

const NEW_KEY = { clock: null, head: null, latest: null } as const;

/** Where a key stands that enrols again: what is known of it is not forgotten, or a re-enrolment would wash a rollback clean. */
async function standing(v: Verifier, akName: string, { log }: LinkBody<'enrol_proof'>): Promise<Pick<KnownDevice, 'clock' | 'head' | 'latest'>> {
  const row = await v.store.deviceByAk(akName);
  return row ? knownDevice(v, row, log.epoch) : NEW_KEY;
}

function sealRecord(v: Verifier, facts: EnrolmentFacts, { evidence }: LinkBody<'enrol_proof'>, deviceId: string, status: StatusReference): string {
  const iat = Math.floor(v.now() / 1000);
  return seal(DEVICE_RECORD, { ...deviceRecordOf(facts, evidence, { iss: v.config.issuers.verifier, iat, jti: freshId(v, 'evt'), deviceId }), status }, v.keys.verifier);
}
