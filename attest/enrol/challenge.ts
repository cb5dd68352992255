/**
 * Credential activation (TPM 2.0 Part 1 section 24): the secret can be read only by a TPM that holds this EK and, in it, a key of exactly this Name.
 * It proves a TPM, not our sidecar: whoever may open the device can do it, which is why an enrolment also needs a one-time code.
 */
import { createHash, createHmac } from 'node:crypto';
import { makeCredential } from '@ari-sidecar/tpm2';
import { type Sha256, equal, fromB64u, toB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { EnrolmentFacts } from './enrolment.js';

/** HMAC-SHA256(secret, sessionId || akName): what the device answers. */
export const enrolmentAnswer = (secret: Uint8Array, sessionId: string, akName: string): Buffer =>
  createHmac('sha256', secret).update(sessionId).update(Buffer.from(akName, 'hex')).digest();

/** What a provider's key signs beside the Names: this session of this verifier, and nothing that anybody else asks for. 32 bytes. */
export const certifyingData = (sessionId: string, nonce: Sha256): Buffer =>
  createHash('sha256').update(`ari-enrol-1\0${sessionId}\0`).update(fromB64u(nonce) ?? Buffer.alloc(0)).digest();

/**
 * @param secret 32 random bytes, used for this session only and not kept: `expected` is what the store remembers
 * @param nonce that the device's first platform evidence must cover
 */
export function challengeFor(facts: EnrolmentFacts, { secret, sessionId, nonce }: { secret: Uint8Array; sessionId: string; nonce: Sha256 }): { challenge: LinkBody<'enrol_challenge'>; expected: string } {
  const { credentialBlob, encryptedSecret } = makeCredential({ ekPublic: facts.ekPublic, akName: Buffer.from(facts.akName, 'hex'), secret });
  const challenge = { sessionId, credentialBlob: toB64u(credentialBlob), encryptedSecret: toB64u(encryptedSecret), nonce };
  return { challenge, expected: toB64u(enrolmentAnswer(secret, sessionId, facts.akName)) };
}

/** Compares in constant time. @throws Fault enrol.proof */
export function checkAnswer(expected: string, answer: string): void {
  const [wanted, given] = [fromB64u(expected), fromB64u(answer)];
  if (wanted?.length !== 32 || given === null || !equal(wanted, given)) throw fault('enrol.proof');
}
