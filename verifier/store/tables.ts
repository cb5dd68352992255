/** The columns of the schema that the verbs touch, for the query builder. Integers come back as bigint; null where the column may be. */
import type { ColumnType, Generated } from 'kysely';
import type { Code } from '../../src/codes.js';
import type { CarrierState, DecisionKind, Level, MandateState, NoncePurpose, PaymentState } from '../../src/names.js';
import type { AllowanceRow, DeviceRow, RedemptionState, RefundRow } from './verbs.js';

type Int = ColumnType<bigint, bigint | number, bigint | number>;
type Zero = ColumnType<bigint, bigint | number | undefined, bigint | number>;
type MaybeInt = ColumnType<bigint | null, bigint | number | null | undefined, bigint | number | null>;
type MaybeText = ColumnType<string | null, string | null | undefined, string | null>;

export interface Tables {
  schema_version: { version: Int; sha256: string; applied_ms: Int };
  users: { user_id: string; kind: string; created_ms: Int };
  user_keys: { key_id: string; user_id: string; method: string; public_key: string; sign_count: Zero; from_ms: Zero; rp_id: MaybeText; revoked_ms: MaybeInt };
  device_users: { device_id: string; user_id: string; from_ms: Int };
  enrol_codes: { code_sha256: string; user_id: string; re_enrol: Int; expires_ms: Int; used_ms: MaybeInt; ek_sha256: MaybeText; reserved_ms: MaybeInt };
  enrol_sessions: { session_id: string; ek_sha256: string; ak_name: string; secret_mac: string; code_sha256: string; expires_ms: Int; used_ms: MaybeInt };
  devices: { device_id: string; ek_sha256: string; provider_sha256: MaybeText; user_id: string | null; state: DeviceRow['state']; simulated: Int; enrolled_ms: Int };
  device_keys: { ak_name: string; device_id: string; record: string; from_ms: Int; retired_ms: MaybeInt };
  device_agents: { device_id: string; agent_id: string; manifest_sha256: string; jwk: string };
  device_clock: { ak_name: string; reset_count: Int; restart_count: Int; clock: Int; attest_sha256: string; ctr: MaybeInt; seq: Int };
  measurement_heads: { device_id: string; epoch: string; ak_name: string; next_n: Int; register: string; reset_count: Int; restart_count: Int };
  measurements: { device_id: string; epoch: string; n: Int; digest: string; entry: string };
  platforms: { platform_sha256: string; device_id: string; evidence: string; appraisal: string; seen_ms: Int };
  ima_lists: { ak_name: string; reset_count: Int; standing: string };
  used_nonces: { nonce: string; device_id: string; purpose: NoncePurpose; expires_ms: Int; used_ms: Int };
  manifests: { manifest_sha256: string; agent_id: string; version: string; token: string; revoked_ms: MaybeInt };
  carriers: { carrier_id: string; user_id: string; currency: string; state: CarrierState; rev: Int; total_max: Int; reserved: Zero; spent: Zero; state_seq: Zero };
  carrier_revs: { carrier_id: string; rev: Int; rules_sha256: string; token: string; user_signature: MaybeText };
  mandates: { mandate_id: string; mandate_sha256: string; user_id: string; carrier_id: string; device_id: string; agent_id: string; manifest_sha256: string; level: Level; max_payments: MaybeInt; token: string; state: MandateState; exp_ms: Int };
  statuses: { list: string; idx: Int; subject: string; value: Int; changed_ms: Int };
  payees: { payee_id: string; origin: string; scenario: string; settle_account: string };
  payments: { payment_id: string; device_id: string; agent_id: string; idempotency_key: string; request_sha256: string; payment_sha256: string; intent: string; mandate_id: MaybeText; carrier_id: MaybeText; state: PaymentState; code: Code | null; version: Zero; created_ms: Int };
  attempts: { payment_id: string; n: Int; nonce: string; evidence: string; ear: string; state_json: string; decision: string; decision_kind: DecisionKind; decided_ms: Int };
  confirmations: { confirmation_id: string; payment_id: string; key_id: string; token: string; assertion: MaybeText; consumed_attempt: MaybeInt };
  mandate_uses: { mandate_id: string; slot: Int; payment_id: string; state: 'held' | 'used' | 'freed' };
  reservations: { reservation_id: string; payment_id: string; carrier_id: string; amount: Int; captured: Zero; released: Zero; expires_ms: Int; created_ms: Int };
  allowances: {
    allowance_id: string; carrier_id: string; mandate_id: string; device_id: string; ak_name: string; token: string; state: AllowanceRow['state']; max_count: Int; max_total: Int; uses: Zero; spent: Zero;
    ctr_base: Int; ctr_last: Int; ctr_end: MaybeInt; reset_count: Int; restart_count: Int; clock: Int; seq: Int; attest_sha256: string; upload_until_ms: Int;
  };
  offline_counts: { ak_name: string; ctr: Int; allowance_id: string; payment_id: string };
  accounts: { account_id: string; kind: 'main' | 'available' | 'reserved' | 'payee' | 'external'; currency: string; balance: Zero };
  transfers: { event_id: string; leg: Int; debit: string; credit: string; amount: Int; created_ms: Int };
  log_queue: { event_id: string; chain: string; body: string; created_ms: Int };
  log_leaves: { idx: Int; event_id: string; chain: string; seq: Int; payment_sha256: MaybeText; leaf_hash: string; leaf: string };
  log_state: { origin: string; size: Int; frontier: string; holder: Generated<string | null>; lease_ms: MaybeInt };
  checkpoints: { size: Int; root: string; note: string };
  cosignatures: { size: Int; witness: string; line: string };
  execution_tokens: { jti: string; payment_id: string; reservation_id: string; leaf_idx: Int; token: string; expires_ms: Int };
  redemptions: { jti: string; request_sha256: MaybeText; amount: MaybeInt; state: RedemptionState; receipt: MaybeText; started_ms: Int };
  refunds: { refund_id: string; payment_id: string; amount: Int; state: RefundRow['state']; receipt: MaybeText; started_ms: Int };
  policies: { policy_sha256: string; id: string; version: Int; stage: string; token: string };
  outbox: { event_id: string; topic: string; subject: string; body: string; created_ms: Int };
  public_keys: { kid: string; role: string; jwk: string; from_ms: Int; retired_ms: MaybeInt };
}
