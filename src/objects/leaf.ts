/**
 * Leaves of the deposit chain: hashes only, no personal data. A decision's leaf is written before a token exists and so cannot name one; a result's
 * leaf names everything. `chain` and `seq`/`prev` make one chain per carrier, in which a user sees gaps.
 */
import { z } from 'zod';
import { type Sha256, digest, toB64u } from '../base/bytes.js';
import { type Of, b64u, count, millis, record, sha256Text, stringify, text } from '../base/shape.js';
import { isCode, type Code } from '../codes.js';
import { DECISION_LEAVES, EVENT_LEAVES, RESULT_LEAVES } from '../names.js';

const common = {
  v: z.literal('ari-deposit-1'),
  salt: b64u(16),
  chain: text(64),
  seq: count,
  prev: sha256Text.nullable(),
  tsMs: millis,
  code: z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null>,
};
const absent = z.null();
const hash = sha256Text.nullable();

/** permitted, confirm_required, denied, refused. */
export const decisionLeaf = record({ kind: z.enum(DECISION_LEAVES), ...common, payment: hash, mandate: hash, carrier: hash, ear: hash, confirmation: hash, decision: hash, execution: absent, receipt: absent, subject: absent });
/** settled, failed, refunded, disputed. `receipt` names what was signed about it; `subject` the user's word that disputes it. */
export const resultLeaf = record({ kind: z.enum(RESULT_LEAVES), ...common, payment: hash, mandate: hash, carrier: hash, ear: hash, confirmation: hash, decision: hash, execution: hash, receipt: hash, subject: hash });
/** confirmed, revoked, rules_changed, enrolled, allowance_issued, allowance_closed: `subject` is the hash of the token that says so. */
export const eventLeaf = record({ kind: z.enum(EVENT_LEAVES), ...common, payment: hash, mandate: hash, carrier: hash, ear: absent, confirmation: hash, decision: absent, execution: absent, receipt: absent, subject: hash });
export const depositLeaf = z.union([decisionLeaf, resultLeaf, eventLeaf]);
export type DecisionLeaf = Of<typeof decisionLeaf>;
export type ResultLeaf = Of<typeof resultLeaf>;
export type EventLeaf = Of<typeof eventLeaf>;
export type DepositLeaf = Of<typeof depositLeaf>;

/** The leaf's bytes in the log: canonical JSON. */
export const leafText = (leaf: DepositLeaf): string => stringify(depositLeaf, leaf);
/** RFC 6962 leaf hash of those bytes; also the `prev` of the next leaf in the chain. */
export const leafHash = (leafBytes: string): Sha256 => toB64u(digest(Uint8Array.of(0), leafBytes));
