/**
 * Messages between sidecar and verifier, over one outbound WebSocket. Each is a closed JSON object `{v:1, id, re?, type, body}`; `re` names the message
 * it answers. A device is a stranger until its `platform` message proved its attestation key over a nonce of this connection: before that it
 * gets nothing but nonces.
 *
 * Order: hello -> policy, nonces(platform) [-> enrol_begin -> enrol_challenge -> enrol_proof] or [-> platform] -> ima, welcome -> mandates, nonces(payment) ...
 * An agent is greeted by the hash of its manifest, which may be longer than a message: those that the verifier lacks it asks for in `welcome`, and they follow in
 * pages (`manifest`, each acknowledged). An agent whose manifest did not come has no mandates.
 * A log longer than one message goes ahead of `enrol_proof` or `platform` in pages (`log_append`, each acknowledged), an IMA list ahead of a refresh in
 * pieces (`ima_append`, each answered by `ima`).
 * The policy (public, operator-signed) comes first because it says which PCRs to quote. A later `platform` (refresh) is answered by `ack`; the nonce it
 * used is replaced by a new `nonces(platform)`.
 */
import { z } from 'zod';
import { type Of, b64u, canonicalOf, count, hex, id, millis, name, publicJwk, record, sha256Text, text, token } from './base/shape.js';
import { type Shape } from './base/shape.js';
import { isCode, type Code } from './codes.js';
import { NONCE_PURPOSES, PAYMENT_STATES, TIERS } from './names.js';
import { authorityState, REVISIONS_MAX } from './objects/carrier.js';
import { attestation, IMA_PART_BYTES, logDelta, paymentEvidence, platformEvidence } from './objects/evidence.js';
import { intent } from './objects/intent.js';
import { MANIFEST_TOKEN } from './objects/manifest.js';
import { findingShape } from './objects/ear.js';

/** Limits of the link: bytes of one message, messages waiting for an answer, nonces pushed ahead. */
export const LINK_LIMITS = { messageBytes: 4_194_304, inFlight: 64, nonces: 64 };
/** Characters of one page of a manifest. */
export const MANIFEST_PAGE = 1_048_576;
export const LINK_PATH = '/v1/link';
export const LINK_PROTOCOL = 'ari-link-1';

/** A cloud's attestation key in this TPM: TPMT_PUBLIC, its certificate, and authorities above it. */
const providerKey = record({ publicArea: b64u(1024), certificate: b64u(8192), chain: z.array(b64u(8192)).max(8) });
const proof = z.string().max(8192);
const code = z.string().refine(isCode) as z.ZodType<Code, string>;

const BODIES = {
  /* device -> verifier */
  hello: record({ build: text(64), akName: hex(34).nullable(), tier: z.enum(TIERS), reason: text(512).nullable(), agents: z.array(record({ agentId: name(), manifestSha256: sha256Text, jwk: publicJwk })).max(64) }),
  enrol_begin: record({ code: text(64), ekCertificate: b64u(8192).nullable(), ekChain: z.array(b64u(8192)).max(8), ekPublic: b64u(1024), akPublic: b64u(1024), registerPublic: b64u(256).nullable(), counterPublic: b64u(256).nullable(), provider: providerKey.nullable() }),
  /** `answer` = HMAC-SHA256(secret, sessionId || akName bytes); `certify`: TPM2_Certify by the provider's key, where one was shown; the platform part covers the challenge's nonce. */
  enrol_proof: record({ sessionId: text(64), answer: b64u(32), certify: attestation.nullable(), evidence: platformEvidence, log: logDelta }),
  /** The register inside `evidence` is certified on the same nonce; `log` brings the verifier up to it. */
  platform: record({ evidence: platformEvidence, log: logDelta }),
  /** One attempt of a payment. `mandate` is the presented SD-JWT with its last `~`, `closedMandate` the key-bound token appended to it. */
  payment: record({ paymentId: id('pay'), attempt: z.int().min(1).max(16), intent, mandate: token().nullable(), closedMandate: token().nullable(), evidence: paymentEvidence, findings: z.array(findingShape).max(64) }),
  /** Something the device could not put forward: deposited as `refused`. */
  refusal: record({ paymentId: id('pay'), intent, code, message: text(1024) }),
  /** One offline payment, brought after the device came back, in the order of the counter. Its evidence brings the log from the first record on. */
  offline: record({ paymentId: id('pay'), allowance: token(), intent, mandate: token(), closedMandate: token(), evidence: paymentEvidence, platform: platformEvidence }),
  /** All payments of earlier allowances were brought: what is left of them goes back. Answered by `ack`. */
  allowance_return: record({}),
  allowance_ask: record({ mandateId: id('mnd') }),
  /** A page of the log: held until a `platform` or `enrol_proof` of this connection certifies what it begins. */
  log_append: record({ log: logDelta }),
  /** A piece of the kernel's binary IMA list, cut anywhere, from entry `from` on: taken up to its last whole entry. Answered by `ima`. */
  ima_append: record({ from: count, data: b64u(IMA_PART_BYTES) }),
  /** A page of a manifest that `welcome` asked for: its characters from `from` on, of `size` in all; one manifest after another. The last page is acknowledged once the manifest was taken. */
  manifest: record({ manifestSha256: sha256Text, size: z.int().min(20).max(MANIFEST_TOKEN), from: count, text: z.string().min(1).max(MANIFEST_PAGE).regex(/^[A-Za-z0-9_.-]+$/, 'must be a part of a compact token') }),
  settle_query: record({ paymentId: id('pay') }),
  ack: record({}),
  /* verifier -> device */
  nonces: record({ purpose: z.enum(NONCE_PURPOSES), nonces: z.array(record({ nonce: sha256Text, expiresMs: millis })).max(64) }),
  enrol_challenge: record({ sessionId: text(64), credentialBlob: b64u(512), encryptedSecret: b64u(1024), nonce: sha256Text }),
  /** `manifests`: of the agents that were greeted, those that the verifier lacks. */
  welcome: record({ deviceId: id('dev'), device: token(), aud: z.string(), nowMs: millis, simulated: z.boolean(), tier: z.enum(TIERS), manifests: z.array(sha256Text).max(64) }),
  policy: record({ policy: token() }),
  /** All valid mandates of this device with their carriers, and the records of the keys of their users (ari-user-key+jwt): replaces what the device had. */
  mandates: record({ mandates: z.array(record({ mandate: token(), carrier: token(), state: z.enum(['valid', 'suspended']) })).max(1024), userKeys: z.array(token()).max(1024) }),
  /** Decision with the parts of the bundle that only the verifier has. */
  decision: record({ paymentId: id('pay'), attempt: count, state: z.enum(PAYMENT_STATES), decision: token(), ear: token().nullable(), carrier: token().nullable(), revisions: z.array(token()).max(REVISIONS_MAX), policy: token(), authority: authorityState, confirmation: token().nullable(), userKeys: z.array(token()).max(2), userAssertion: z.string().max(65_536).nullable(), leaf: z.string().max(65_535), proof }),
  execution: record({ paymentId: id('pay'), state: z.enum(PAYMENT_STATES), execution: token().nullable(), receipt: token().nullable(), leaf: z.string().max(65_535).nullable(), proof: proof.nullable() }),
  allowance: record({ allowance: token() }),
  confirmed: record({ paymentId: id('pay'), confirmation: token() }),
  /** How much of this boot's IMA list is known: the next part or piece begins there. Said after each platform part that quotes PCR 10, before it is answered. */
  ima: record({ entries: count, bytes: count }),
  revoked: record({ subject: text(64), state: text(32) }),
  error: record({ code, message: text(1024) }),
} as const;

export type LinkType = keyof typeof BODIES;
export type LinkBody<T extends LinkType> = Of<(typeof BODIES)[T]>;
export type LinkMessage = { [T in LinkType]: { v: 1; id: string; re: string | null; type: T; body: LinkBody<T> } }[LinkType];

const DEVICE_TYPES = ['hello', 'enrol_begin', 'enrol_proof', 'platform', 'payment', 'refusal', 'offline', 'allowance_return', 'allowance_ask', 'log_append', 'ima_append', 'manifest', 'settle_query', 'ack'] as const;
const VERIFIER_TYPES = ['nonces', 'enrol_challenge', 'welcome', 'policy', 'mandates', 'decision', 'execution', 'allowance', 'confirmed', 'ima', 'revoked', 'error', 'ack'] as const;
export type DeviceMessage = Extract<LinkMessage, { type: (typeof DEVICE_TYPES)[number] }>;
export type VerifierMessage = Extract<LinkMessage, { type: (typeof VERIFIER_TYPES)[number] }>;

const ENVELOPES = Object.fromEntries((Object.keys(BODIES) as LinkType[]).map((type) =>
  [type, z.strictObject({ v: z.literal(1), id: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/), re: z.string().max(64).nullable(), type: z.literal(type), body: BODIES[type] })])) as unknown as Record<LinkType, z.ZodType>;
const envelopes = (types: readonly LinkType[]) => z.discriminatedUnion('type', types.map((type) => ENVELOPES[type]) as never);

/** What a device may send, and what a verifier may. */
export const deviceMessage = envelopes(DEVICE_TYPES) as unknown as Shape<DeviceMessage>;
export const verifierMessage = envelopes(VERIFIER_TYPES) as unknown as Shape<VerifierMessage>;

/** A message as it travels. */
export const messageText = (message: LinkMessage): string => canonicalOf(ENVELOPES[message.type], message);
