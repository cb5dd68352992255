/** Everything about one payment in one file: `*.ari.json`, `application/vnd.ari.bundle+json`. Anyone with the verifier's public keys can check it offline. */
import { z } from 'zod';
import { b64u, type Of, record, token } from '../base/shape.js';
import { authorityState, REVISIONS_MAX } from './carrier.js';
import { evidence, IMA_LIST_BYTES, LOG_ENTRIES, logEntry } from './evidence.js';
import { intent } from './intent.js';
import { MANIFEST_TOKEN } from './manifest.js';

export const BUNDLE_MEDIA_TYPE = 'application/vnd.ari.bundle+json';
/** The longest manifest, boot log, IMA list and measurement log fit; what is larger is no bundle. */
export const BUNDLE_BYTES = 50_331_648;
const leafText = z.string().min(2).max(65_535);

/** Tokens stand here exactly as signed. `leaves` are the log's own bytes, `proofs` the tlog-proof of each, in the same order. */
export const bundle = record({
  v: z.literal('ari-bundle-1'),
  intent,
  mandate: token().nullable(),
  closedMandate: token().nullable(),
  carrier: token().nullable(),
  /** Its revisions from the one that the mandate names up to, without, this one: each step was tighter. */
  revisions: z.array(token()).max(REVISIONS_MAX),
  manifest: token(MANIFEST_TOKEN).nullable(),
  device: token().nullable(),
  evidence: evidence.nullable(),
  /** The entries of the measurement log before those in the evidence, from the epoch's first on: with them the register is recomputed offline. */
  log: z.array(logEntry).max(LOG_ENTRIES),
  /** The kernel's binary IMA list before the part in the evidence, from the boot's first entry on; absent when that part begins the list. */
  ima: b64u(IMA_LIST_BYTES).optional(),
  ear: token().nullable(),
  state: authorityState,
  policy: token(),
  decision: token(),
  confirmation: token().nullable(),
  /** Whose keys signed mandate and confirmation, in the order of the decision's `user_kids`. */
  userKeys: z.array(token()).max(2),
  userAssertion: z.string().max(65_536).nullable(),
  /** Under which a payment was made offline; absent when it was made online. */
  allowance: token().optional(),
  execution: token().nullable(),
  receipt: token().nullable(),
  leaves: z.array(leafText).min(1).max(4),
  proofs: z.array(z.string().max(8192)).min(1).max(4),
});
export type Bundle = Of<typeof bundle>;

/** The edges between the objects of a bundle, in the order they are checked. `ari verify` names the one that fails. */
export const EDGES = [
  'mandate-agent', 'manifest-agent', 'mandate-carrier', 'intent-order', 'closed-mandate', 'closed-intent',
  'binding-intent', 'binding-mandate', 'binding-closed', 'binding-agent', 'binding-platform', 'attest-binding', 'attest-ak', 'device-ak', 'register-log',
  'allowance-mandate', 'allowance-intent', 'binding-allowance',
  'ear-evidence', 'ear-binding', 'decision-ear', 'decision-inputs', 'decision-policy', 'confirmation-intent',
  'leaf-decision', 'leaf-chain', 'proof-leaf', 'checkpoint-key', 'execution-decision', 'execution-proof', 'receipt-execution', 'receipt-closed', 'settled-leaf',
] as const;
export type Edge = (typeof EDGES)[number];
