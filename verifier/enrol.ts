/**
 * Enrolment: a TPM that a pinned root vouches for shows that it holds the attestation key (MakeCredential, ActivateCredential), a one-time code says who
 * is responsible for it, and its first platform evidence, over the challenge's nonce, is appraised before anything is kept.
 */
import { z } from 'zod';
import { assertNotBlocked, challengeFor, checkAnswer, checkEnrolment, deviceRecordOf, type EnrolmentFacts } from '../attest/enrol/index.js';
import type { PlatformResult } from '../attest/types.js';
import { appraisePlatform } from '../attest/verify/index.js';
import { sha256, type Sha256 } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { id, parse, record, stringify } from '../src/base/shape.js';
import type { LinkBody } from '../src/link.js';
import { DEVICE_RECORD } from '../src/objects/device.js';
import { open, seal, tokenHash } from '../src/objects/signed.js';
import type { StatusReference } from '../src/objects/status.js';
import { freshId, type Verifier } from './context.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';
import { statusOf } from './statuses.js';
import { assertAnchor, keepPlatform, refusalOf } from './platform.js';

/** A slow TPM needs seconds to activate a credential and to quote; a person is not waited for. */
const SESSION_MS = 60_000;

/** Who is responsible, as the one-time code said; kept with the session. */
const sponsor = record({ userId: id('usr'), reEnrol: z.boolean() });

/** An enrolment that waits for its proof. It belongs to one connection. */
export interface Enrolling { readonly sessionId: string; readonly facts: EnrolmentFacts; readonly nonce: Sha256; readonly expiresMs: number }
export interface Enrolled { readonly deviceId: string; readonly akName: string; readonly record: string; readonly result: PlatformResult }

/** `akName`: the key that the connection said hello with. @throws Fault enrol.* */
export async function beginEnrolment(v: Verifier, akName: string | null, begin: LinkBody<'enrol_begin'>): Promise<{ enrolling: Enrolling; challenge: LinkBody<'enrol_challenge'> }> {
  const nowMs = v.now();
  const facts = checkEnrolment(begin, v.trust.tpm, Math.floor(nowMs / 1000));
  if (facts.akName !== akName) throw fault('enrol.ak_name');
  const by = await v.store.useEnrolCode(sha256(begin.code), nowMs);
  if (!by) throw fault('enrol.code');
  if (!by.reEnrol && (await v.store.deviceOfEk(facts.ekSha256))) throw fault('enrol.device_conflict');
  const sessionId = freshId(v, 'evt');
  const { nonce, expiresMs } = v.nonces.issue(facts.akName, nowMs);
  const { challenge, expected } = challengeFor(facts, { secret: v.random(32), sessionId, nonce });
  await v.store.openEnrolSession({ sessionId, ekSha256: facts.ekSha256, akName: facts.akName, secretMac: expected, body: stringify(sponsor, by), expiresMs: nowMs + SESSION_MS });
  return { enrolling: { sessionId, facts, nonce, expiresMs }, challenge };
}

/** @throws Fault enrol.session, enrol.proof, enrol.device_conflict, enrol.tpm_blocked, or the first finding of an appraisal that is not authentic */
export async function proveEnrolment(v: Verifier, { sessionId, facts, nonce, expiresMs }: Enrolling, proof: LinkBody<'enrol_proof'>): Promise<Enrolled> {
  const session = proof.sessionId === sessionId ? await v.store.useEnrolSession(sessionId, v.now()) : null;
  if (session?.akName !== facts.akName) throw fault('enrol.session');
  checkAnswer(session.secretMac, proof.answer);
  const by = parse(sponsor, session.body);
  const deviceId = (await v.store.deviceOfEk(facts.ekSha256))?.deviceId ?? freshId(v, 'dev');
  const token = sealRecord(v, facts, proof, deviceId, await statusOf(v, 'device', deviceId));
  const device = { record: open(DEVICE_RECORD, token, v.trust.keys), state: 'enrolled', clock: null, head: null, latest: null } as const;
  const result = appraisePlatform({ evidence: proof.evidence, log: proof.log, nonce, aud: v.config.issuers.verifier, device, policy: v.trust.policy().value, connection: true });
  if (!result.next) throw refusalOf(result);
  assertNotBlocked(v.trust.tpm, facts, result.appraisal.firmware);
  assertAnchor(v, facts.akName, result);
  const { clock, head, entries } = result.next;
  await v.store.enrol({
    deviceId, ekSha256: facts.ekSha256, userId: by.userId, simulated: facts.simulated, akName: facts.akName, record: token, reEnrol: by.reEnrol,
    clock, head, entries, leaf: { eventId: orderEvent(tokenHash(token), device.record.value.iat), draft: leafDraft(v, { kind: 'enrolled', chain: deviceId, subject: tokenHash(token) }) }, nowMs: v.now(),
  });
  v.log.soon();
  await keepPlatform(v, { deviceId, akName: facts.akName, evidence: proof.evidence, result, nonce: { value: nonce, expiresMs }, before: clock });
  return { deviceId, akName: facts.akName, record: token, result };
}

function sealRecord(v: Verifier, facts: EnrolmentFacts, { evidence }: LinkBody<'enrol_proof'>, deviceId: string, status: StatusReference): string {
  const iat = Math.floor(v.now() / 1000);
  return seal(DEVICE_RECORD, { ...deviceRecordOf(facts, evidence, { iss: v.config.issuers.verifier, iat, jti: freshId(v, 'evt'), deviceId }), status }, v.keys.verifier);
}
