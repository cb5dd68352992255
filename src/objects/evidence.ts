/**
 * Evidence: what the device says, covered by TPM signatures. Two parts: `platform` is made in the background and cached by both sides under its hash;
 * `payment` is made per payment and holds that hash, so that a cached quote cannot be spliced.
 */
import { z } from 'zod';
import { type Sha256, digest, sha256 } from '../base/bytes.js';
import { type Of, type Shape, type Texts, b64u, canonicalOf, count, hashOf, hex, name, record, sha256Text, u64, url } from '../base/shape.js';
import { type AttestKind, NS } from '../names.js';
import { agentClaims } from './claims.js';

/** A TPMS_ATTEST and the TPMT_SIGNATURE over it, as the TPM gave them. */
export const attestation = record({ attest: b64u(1024), signature: b64u(1024) });
export type Attestation = Of<typeof attestation>;

/** One record of the measurement log, TCG CEL (Canonical Event Log) JSON. The digest is over the raw bytes of `content`, base64url-decoded. */
export const logEntry = record({
  recnum: count,
  nvIndex: hex(4),
  digests: z.array(record({ hashAlg: z.literal('sha256'), digest: hex(32) })).length(1),
  contentType: z.literal('ari'),
  content: b64u(16_384),
});
export type LogEntry = Of<typeof logEntry>;
/** Entries that one message carries of a log, and one epoch may have: a bundle carries no more, and what an auditor cannot see is not taken. */
export const LOG_PAGE = 1024;
export const LOG_ENTRIES = 16_384;
/** A part of one epoch's log. `epoch` is the digest of its first entry, `from` the number of the first entry sent. */
export const logDelta = record({ epoch: sha256Text, from: count, entries: z.array(logEntry).max(LOG_PAGE) });
export type LogDelta = Of<typeof logDelta>;

/** What one payment's TPM signature binds together. */
export const binding = record({
  v: z.literal('ari-bind-1'),
  nonce: sha256Text,
  aud: url,
  paymentSha256: sha256Text,
  mandateSha256: sha256Text,
  closedSha256: sha256Text,
  agentSha256: sha256Text,
  platformSha256: sha256Text,
  logN: count,
  logEpoch: sha256Text,
  seq: count,
  jkt: sha256Text,
  ctr: u64.nullable(),
});
export type Binding = Of<typeof binding>;

/** What the attestations of a platform part bind: they belong to no payment. */
export const platformBinding = record({ v: z.literal('ari-platform-1'), nonce: sha256Text, aud: url, logN: count, logEpoch: sha256Text });
export type PlatformBinding = Of<typeof platformBinding>;

/** Bytes of an IMA list in one message, and of a list as far as anyone can be shown: what a bundle carries of it. A longer list is worth nothing (tier T2). */
export const IMA_PART_BYTES = 786_432;
export const IMA_LIST_BYTES = 16_777_216;

export const platformEvidence = record({
  binding: platformBinding,
  quote: record({ attest: b64u(1024), signature: b64u(1024), bank: z.enum(['sha256', 'sha384']), pcrs: z.record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), hex()) }),
  register: attestation.nullable(),
  counter: attestation.nullable(),
  boot: record({ format: z.literal('tcg2-binary'), data: b64u(786_432) }).nullable(),
  /** The entries from number `from` on: those before were shown earlier in this boot, and the quoted PCR 10 covers them too. */
  ima: record({ format: z.enum(['ima-ascii', 'ima-binary']), from: count, data: b64u(IMA_PART_BYTES) }).nullable(),
});
export type PlatformEvidence = Of<typeof platformEvidence>;

/** Position of a binding's leaf in the tree whose root was signed. A lone payment is a tree of one with an empty path. */
export const batch = record({ index: count, size: z.int().min(1).max(65_536), path: z.array(sha256Text).max(16) });
export type Batch = Of<typeof batch>;

/**
 * `register` is the NV certification that carries the payment; on a TPM without a register (tier T1) `quote` carries it instead. Exactly one is there.
 * `counter`, of a payment made offline alone: the counter that the binding names, certified over the same root.
 */
export const paymentEvidence = record({ binding, register: attestation.nullable(), quote: attestation.nullable(), counter: attestation.optional(), batch, log: logDelta, agent: agentClaims });
export type PaymentEvidence = Of<typeof paymentEvidence>;

export const EVIDENCE_PROFILE = `${NS}evidence:1`;
/** `application/vnd.ari.evidence+json`. */
export const evidence = record({
  eatProfile: z.literal(EVIDENCE_PROFILE),
  evidenceType: z.literal('tpm2'),
  akName: hex(34),
  platform: platformEvidence,
  payment: paymentEvidence,
});
export type Evidence = Of<typeof evidence>;

/** `platform_sha256`. */
export const platformHash = (value: PlatformEvidence): Sha256 => hashOf(platformEvidence, value);
/** `evidence_sha256`. @param texts those of its parts that were written already */
export const evidenceHash = (value: Evidence, texts?: Texts): Sha256 => sha256(canonicalOf(evidence, value, texts));

/** RFC 6962 leaf hash of the canonical form of a binding. */
export const bindingLeaf = <T>(shape: Shape<T>, value: T): Buffer => leafOfText(canonicalOf(shape, value));
export const leafOfText = (text: string): Buffer => digest(`\0${text}`);
/** What the TPM is asked to sign about a root: SHA-256("ari-bind-1" 0x00 kind 0x00 root), 32 bytes. */
export const qualifyingData = (kind: AttestKind, root: Uint8Array): Buffer => digest(`ari-bind-1\0${kind}\0`, root);
/** {@link qualifyingData} of a lone platform binding. */
export const platformQualifyingData = (kind: AttestKind, value: PlatformBinding): Buffer => qualifyingData(kind, bindingLeaf(platformBinding, value));

/** The contents of log entries, by kind. `data` holds hashes and numbers only. */
export const logContent = record({ kind: name(32), data: z.record(z.string(), z.json()) });
export type LogContent = Of<typeof logContent>;
