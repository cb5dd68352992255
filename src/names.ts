/** The closed sets of the project: one list per word, in the order of rank where there is one. */

export const NS = 'tag:ari.example,2026:';

export const LEVELS = ['L0', 'L1', 'L2', 'L3', 'L4', 'L5'] as const;
export type Level = (typeof LEVELS)[number];

export const MODES = ['instant', 'delegated'] as const;
export type Mode = (typeof MODES)[number];

/** How much of the platform is proven. Never rounded up; T4 is named and not yet reachable. */
export const TIERS = ['T0', 'T1', 'T2', 'T3', 'T4'] as const;
export type Tier = (typeof TIERS)[number];

export const DECISIONS = ['permit', 'confirm', 'deny'] as const;
export type DecisionKind = (typeof DECISIONS)[number];

/** `exact`: this amount and no other. `max`: up to this amount. */
export const BOUNDS = ['exact', 'max'] as const;
export type Bound = (typeof BOUNDS)[number];

/** Who vouches for payee and amount. A: signed by the payee. B: fetched from the payee. C: told by the agent. */
export const GRADES = ['A', 'B', 'C'] as const;
export type Grade = (typeof GRADES)[number];

export const PROTOCOLS = ['native', 'acp', 'ucp', 'ap2', 'x402', 'mcp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** EAR trust tiers, best first (draft-ietf-rats-ear: a whole is never better than its worst part). */
export const EAR_STATUSES = ['affirming', 'none', 'warning', 'contraindicated'] as const;
export type EarStatus = (typeof EAR_STATUSES)[number];

export const DECISION_LEAVES = ['permitted', 'confirm_required', 'denied', 'refused'] as const;
export const RESULT_LEAVES = ['settled', 'failed', 'refunded', 'disputed'] as const;
export const EVENT_LEAVES = ['confirmed', 'revoked', 'rules_changed', 'enrolled', 'allowance_issued', 'allowance_closed'] as const;
export const LEAF_KINDS = [...DECISION_LEAVES, ...EVENT_LEAVES, ...RESULT_LEAVES] as const;
export type LeafKind = (typeof LEAF_KINDS)[number];

export const PAYMENT_STATES = ['received', 'proving', 'confirm_required', 'permitted', 'deposited', 'released', 'settled', 'failed', 'denied', 'expired', 'outcome_unknown'] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

export const CARRIER_STATES = ['active', 'frozen', 'revoked', 'expired'] as const;
export type CarrierState = (typeof CARRIER_STATES)[number];

export const DEVICE_STATES = ['enrolled', 'suspended', 'revoked'] as const;
export const MANDATE_STATES = ['valid', 'suspended', 'revoked', 'expired'] as const;
export type MandateState = (typeof MANDATE_STATES)[number];

export const LOG_KINDS = ['boot_anchor', 'sidecar', 'policy', 'agent_start', 'agent_drift', 'agent_exit', 'separator'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export const POLICY_STAGES = ['learn', 'shadow', 'enforce'] as const;

/** What one TPM signature is about. It is hashed into qualifyingData, so that a signature made for one use is none for another. */
export const ATTEST_KINDS = ['quote', 'register', 'counter', 'payment'] as const;
export type AttestKind = (typeof ATTEST_KINDS)[number];

export const NONCE_PURPOSES = ['payment', 'platform', 'counter'] as const;
export type NoncePurpose = (typeof NONCE_PURPOSES)[number];

/** Prefixes of identifiers: `prefix_` and a ULID. */
export const ID_PREFIXES = ['dev', 'agt', 'usr', 'mnd', 'crr', 'pay', 'att', 'tok', 'rsv', 'rcp', 'cnf', 'evt', 'alw'] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];

/** Roles of signing keys: prefix of the `kid` and the only objects each may sign. */
export const ROLES = { verifier: 'v', carrier: 'f', settlement: 'p', consent: 'u', publisher: 'b', user: 'k', operator: 'o' } as const;
export type Role = keyof typeof ROLES;

/** True when `a` ranks at least as high as `b` in a ranked set. */
export const atLeast = <T extends string>(set: readonly T[], a: T, b: T): boolean => set.indexOf(a) >= set.indexOf(b);
/** The lower-ranked of two members of a ranked set. */
export const lower = <T extends string>(set: readonly T[], a: T, b: T): T => (atLeast(set, a, b) ? b : a);
