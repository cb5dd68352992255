/**
 * The one schema, for SQLite and PostgreSQL: TEXT, BIGINT, CHECK, partial UNIQUE and nothing else. Each CHECK and UNIQUE here is a promise of the store
 * and has a test that goes red without it. Tokens and signed JSON are text exactly as received; `*_ms` are milliseconds, amounts are minor units.
 *
 * Nothing is released yet, so there is one version. A released one is never edited: a change is a new version below it. The database keeps the hash of what
 * it was made with, and whoever has another text under the same number refuses it by name (migrate.ts).
 */
export interface Migration { readonly version: number; readonly statements: readonly string[] }

const PEOPLE = `
CREATE TABLE users(user_id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN('person','organisation')), created_ms BIGINT NOT NULL);
CREATE TABLE user_keys(key_id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users, method TEXT NOT NULL CHECK(method IN('jwk','webauthn')),
  public_key TEXT NOT NULL, sign_count BIGINT NOT NULL DEFAULT 0, from_ms BIGINT NOT NULL DEFAULT 0, rp_id TEXT, revoked_ms BIGINT, CHECK((method='webauthn')=(rp_id IS NOT NULL)));
CREATE INDEX user_keys_user ON user_keys(user_id);
`;

/**
 * Codes and sessions are used once: UPDATE .. SET used_ms WHERE used_ms IS NULL AND expires_ms > :now. A code is reserved for one TPM (ek_sha256) until
 * reserved_ms, and used only in the transaction that records that TPM's device.
 */
const DEVICES = `
CREATE TABLE enrol_codes(code_sha256 TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users, re_enrol BIGINT NOT NULL CHECK(re_enrol IN(0,1)), expires_ms BIGINT NOT NULL, used_ms BIGINT,
  ek_sha256 TEXT, reserved_ms BIGINT);
CREATE TABLE enrol_sessions(session_id TEXT PRIMARY KEY, ek_sha256 TEXT NOT NULL, ak_name TEXT NOT NULL, secret_mac TEXT NOT NULL, code_sha256 TEXT NOT NULL REFERENCES enrol_codes, expires_ms BIGINT NOT NULL, used_ms BIGINT);
CREATE TABLE devices(device_id TEXT PRIMARY KEY, ek_sha256 TEXT NOT NULL, provider_sha256 TEXT, user_id TEXT REFERENCES users, state TEXT NOT NULL CHECK(state IN('enrolled','suspended','revoked')),
  simulated BIGINT NOT NULL CHECK(simulated IN(0,1)), enrolled_ms BIGINT NOT NULL);
-- one live device per TPM: the same EK again is the same device with a new key
CREATE UNIQUE INDEX devices_ek ON devices(ek_sha256) WHERE state <> 'revoked';
-- and per key of a cloud: without a certificate of its own, a TPM can show any number of endorsement keys
CREATE UNIQUE INDEX devices_provider ON devices(provider_sha256) WHERE state <> 'revoked';
-- users beside the one who enrolled it
CREATE TABLE device_users(device_id TEXT NOT NULL REFERENCES devices, user_id TEXT NOT NULL REFERENCES users, from_ms BIGINT NOT NULL, PRIMARY KEY(device_id, user_id));
CREATE TABLE device_keys(ak_name TEXT PRIMARY KEY, device_id TEXT NOT NULL REFERENCES devices, record TEXT NOT NULL, from_ms BIGINT NOT NULL, retired_ms BIGINT);
CREATE UNIQUE INDEX device_keys_live ON device_keys(device_id) WHERE retired_ms IS NULL;
CREATE TABLE device_agents(device_id TEXT NOT NULL REFERENCES devices, agent_id TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, jwk TEXT NOT NULL, PRIMARY KEY(device_id, agent_id, manifest_sha256));
`;

const FRESHNESS = `
-- advanced by compare-and-swap: no rollback, no clone beside the original
CREATE TABLE device_clock(ak_name TEXT PRIMARY KEY REFERENCES device_keys, reset_count BIGINT NOT NULL, restart_count BIGINT NOT NULL, clock BIGINT NOT NULL,
  attest_sha256 TEXT NOT NULL, ctr BIGINT, seq BIGINT NOT NULL);
CREATE TABLE measurement_heads(device_id TEXT NOT NULL REFERENCES devices, epoch TEXT NOT NULL, ak_name TEXT NOT NULL REFERENCES device_keys, next_n BIGINT NOT NULL, register TEXT NOT NULL,
  reset_count BIGINT NOT NULL, restart_count BIGINT NOT NULL, PRIMARY KEY(device_id, epoch));
-- a new epoch needs a reset or restart of the TPM: one boot has one history
CREATE UNIQUE INDEX measurement_heads_boot ON measurement_heads(ak_name, reset_count, restart_count);
-- append only: a second history of one epoch cannot be stored
CREATE TABLE measurements(device_id TEXT NOT NULL, epoch TEXT NOT NULL, n BIGINT NOT NULL, digest TEXT NOT NULL, entry TEXT NOT NULL, PRIMARY KEY(device_id, epoch, n));
CREATE TABLE platforms(platform_sha256 TEXT PRIMARY KEY, device_id TEXT NOT NULL, evidence TEXT NOT NULL, appraisal TEXT NOT NULL, seen_ms BIGINT NOT NULL);
-- where the IMA list of each key's machine stands: of its latest boot alone
CREATE TABLE ima_lists(ak_name TEXT PRIMARY KEY REFERENCES device_keys, reset_count BIGINT NOT NULL, standing TEXT NOT NULL);
-- issued without a write, consumed once by INSERT; purged only a day after expiry
CREATE TABLE used_nonces(nonce TEXT PRIMARY KEY, device_id TEXT NOT NULL, purpose TEXT NOT NULL CHECK(purpose IN('payment','platform','counter')), expires_ms BIGINT NOT NULL, used_ms BIGINT NOT NULL);
`;

const DELEGATION = `
CREATE TABLE manifests(manifest_sha256 TEXT PRIMARY KEY, agent_id TEXT NOT NULL, version TEXT NOT NULL, token TEXT NOT NULL, revoked_ms BIGINT);
-- every change of a carrier's state or numbers raises state_seq
CREATE TABLE carriers(carrier_id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users, currency TEXT NOT NULL CHECK(length(currency)=3),
  state TEXT NOT NULL CHECK(state IN('active','frozen','revoked','expired')), rev BIGINT NOT NULL, total_max BIGINT NOT NULL,
  reserved BIGINT NOT NULL DEFAULT 0 CHECK(reserved>=0), spent BIGINT NOT NULL DEFAULT 0 CHECK(spent>=0), state_seq BIGINT NOT NULL DEFAULT 0, CHECK(reserved+spent<=total_max));
CREATE INDEX carriers_user ON carriers(user_id);
CREATE TABLE carrier_revs(carrier_id TEXT NOT NULL REFERENCES carriers, rev BIGINT NOT NULL, rules_sha256 TEXT NOT NULL, token TEXT NOT NULL, user_signature TEXT, PRIMARY KEY(carrier_id, rev));
CREATE TABLE mandates(mandate_id TEXT PRIMARY KEY, mandate_sha256 TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, carrier_id TEXT NOT NULL REFERENCES carriers, device_id TEXT NOT NULL,
  agent_id TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, level TEXT NOT NULL, max_payments BIGINT, token TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN('valid','suspended','revoked','expired')), exp_ms BIGINT NOT NULL);
CREATE INDEX mandates_device ON mandates(device_id);
CREATE TABLE payees(payee_id TEXT NOT NULL, origin TEXT NOT NULL, scenario TEXT NOT NULL, settle_account TEXT NOT NULL, PRIMARY KEY(payee_id, origin));
CREATE TABLE statuses(list TEXT NOT NULL, idx BIGINT NOT NULL, subject TEXT NOT NULL UNIQUE, value BIGINT NOT NULL CHECK(value IN(0,1,2)), changed_ms BIGINT NOT NULL, PRIMARY KEY(list, idx));
`;

const PAYMENTS = `
-- the same idempotency key with another request is refused; the state moves by compare-and-swap on version
CREATE TABLE payments(payment_id TEXT PRIMARY KEY, device_id TEXT NOT NULL, agent_id TEXT NOT NULL, idempotency_key TEXT NOT NULL, request_sha256 TEXT NOT NULL, payment_sha256 TEXT NOT NULL UNIQUE,
  intent TEXT NOT NULL, mandate_id TEXT, carrier_id TEXT, state TEXT NOT NULL, code TEXT, version BIGINT NOT NULL DEFAULT 0, created_ms BIGINT NOT NULL, UNIQUE(device_id, agent_id, idempotency_key));
CREATE INDEX payments_state ON payments(state, created_ms);
CREATE TABLE attempts(payment_id TEXT NOT NULL REFERENCES payments, n BIGINT NOT NULL, nonce TEXT NOT NULL UNIQUE, evidence TEXT, ear TEXT, state_json TEXT, decision TEXT,
  decision_kind TEXT CHECK(decision_kind IN('permit','confirm','deny')), decided_ms BIGINT, PRIMARY KEY(payment_id, n));
-- a payment is permitted once
CREATE UNIQUE INDEX one_permit ON attempts(payment_id) WHERE decision_kind='permit';
CREATE TABLE confirmations(confirmation_id TEXT PRIMARY KEY, payment_id TEXT NOT NULL REFERENCES payments, key_id TEXT NOT NULL, token TEXT NOT NULL, assertion TEXT, consumed_attempt BIGINT, UNIQUE(payment_id, key_id));
CREATE TABLE mandate_uses(mandate_id TEXT NOT NULL REFERENCES mandates, slot BIGINT NOT NULL CHECK(slot>=1), payment_id TEXT NOT NULL UNIQUE, state TEXT NOT NULL CHECK(state IN('held','used','freed')));
-- slot <= max_payments is checked in the transaction; this index decides races
CREATE UNIQUE INDEX mandate_slot ON mandate_uses(mandate_id, slot) WHERE state<>'freed';
`;

const MONEY = `
CREATE TABLE reservations(reservation_id TEXT PRIMARY KEY, payment_id TEXT NOT NULL UNIQUE REFERENCES payments, carrier_id TEXT NOT NULL, amount BIGINT NOT NULL CHECK(amount>0),
  captured BIGINT NOT NULL DEFAULT 0, released BIGINT NOT NULL DEFAULT 0, expires_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL, CHECK(captured>=0 AND released>=0 AND captured+released<=amount));
CREATE INDEX reservations_window ON reservations(carrier_id, created_ms);
CREATE INDEX reservations_open ON reservations(expires_ms) WHERE captured=0 AND released=0;
CREATE TABLE refunds(refund_id TEXT PRIMARY KEY, payment_id TEXT NOT NULL REFERENCES payments, amount BIGINT NOT NULL CHECK(amount>0), state TEXT NOT NULL CHECK(state IN('started','settled','failed')), receipt TEXT, started_ms BIGINT NOT NULL);
CREATE INDEX refunds_payment ON refunds(payment_id);
CREATE TABLE accounts(account_id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN('main','available','reserved','payee','external')), currency TEXT NOT NULL, balance BIGINT NOT NULL DEFAULT 0, CHECK(balance>=0 OR kind='external'));
-- one row holds both sides, so the sum is zero by construction; event_id makes it idempotent
CREATE TABLE transfers(event_id TEXT NOT NULL, leg BIGINT NOT NULL, debit TEXT NOT NULL REFERENCES accounts, credit TEXT NOT NULL REFERENCES accounts, amount BIGINT NOT NULL CHECK(amount>0),
  created_ms BIGINT NOT NULL, CHECK(debit<>credit), PRIMARY KEY(event_id, leg));
`;

const DEPOSIT = `
-- written in the transaction of the decision or settlement itself
CREATE TABLE log_queue(event_id TEXT PRIMARY KEY, chain TEXT NOT NULL, body TEXT NOT NULL, created_ms BIGINT NOT NULL);
CREATE TABLE log_leaves(idx BIGINT PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, chain TEXT NOT NULL, seq BIGINT NOT NULL, payment_sha256 TEXT, leaf_hash TEXT NOT NULL, leaf TEXT NOT NULL, UNIQUE(chain, seq));
CREATE INDEX log_leaves_payment ON log_leaves(payment_sha256);
-- the lease saves work, the compare-and-swap on size gives safety
CREATE TABLE log_state(origin TEXT PRIMARY KEY, size BIGINT NOT NULL, frontier TEXT NOT NULL, holder TEXT, lease_ms BIGINT);
-- one root per size, for ever
CREATE TABLE checkpoints(size BIGINT PRIMARY KEY, root TEXT NOT NULL, note TEXT NOT NULL);
-- what witnesses said of a checkpoint, each the newest
CREATE TABLE cosignatures(size BIGINT NOT NULL REFERENCES checkpoints, witness TEXT NOT NULL, line TEXT NOT NULL, PRIMARY KEY(size, witness));
-- leaf_idx NOT NULL: no token without its leaf
CREATE TABLE execution_tokens(jti TEXT PRIMARY KEY, payment_id TEXT NOT NULL UNIQUE REFERENCES payments, reservation_id TEXT NOT NULL UNIQUE, leaf_idx BIGINT NOT NULL REFERENCES log_leaves, token TEXT NOT NULL, expires_ms BIGINT NOT NULL);
-- held: accepted within the token's life, to be captured later; only then it has no amount
CREATE TABLE redemptions(jti TEXT PRIMARY KEY REFERENCES execution_tokens, request_sha256 TEXT, amount BIGINT,
  state TEXT NOT NULL CHECK(state IN('held','started','settled','failed')), receipt TEXT, started_ms BIGINT NOT NULL, CHECK((state='held')=(amount IS NULL)));
`;

const SETTINGS = `
CREATE TABLE policies(policy_sha256 TEXT PRIMARY KEY, id TEXT NOT NULL, version BIGINT NOT NULL, stage TEXT NOT NULL, token TEXT NOT NULL, UNIQUE(id, version));
-- retired keys stay: bundles live long
CREATE TABLE public_keys(kid TEXT PRIMARY KEY, role TEXT NOT NULL, jwk TEXT NOT NULL, from_ms BIGINT NOT NULL, retired_ms BIGINT);
CREATE TABLE api_idempotency(principal TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, request_sha256 TEXT NOT NULL, state TEXT NOT NULL, status BIGINT, answer TEXT, expires_ms BIGINT NOT NULL, PRIMARY KEY(principal, route, key));
CREATE TABLE outbox(event_id TEXT PRIMARY KEY, topic TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, created_ms BIGINT NOT NULL);
CREATE INDEX outbox_created ON outbox(created_ms);
`;

const OFFLINE = `
-- a hold on carrier and mandate; ctr_last is the line of its payments, ctr_end the counter with which the device came back
CREATE TABLE allowances(allowance_id TEXT PRIMARY KEY, carrier_id TEXT NOT NULL REFERENCES carriers, mandate_id TEXT NOT NULL REFERENCES mandates, device_id TEXT NOT NULL, ak_name TEXT NOT NULL REFERENCES device_keys, token TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN('live','closed','ended')), max_count BIGINT NOT NULL CHECK(max_count>0), max_total BIGINT NOT NULL CHECK(max_total>0), uses BIGINT NOT NULL DEFAULT 0, spent BIGINT NOT NULL DEFAULT 0,
  ctr_base BIGINT NOT NULL, ctr_last BIGINT NOT NULL, ctr_end BIGINT, reset_count BIGINT NOT NULL, restart_count BIGINT NOT NULL, clock BIGINT NOT NULL, seq BIGINT NOT NULL, attest_sha256 TEXT NOT NULL,
  upload_until_ms BIGINT NOT NULL, CHECK(uses>=0 AND uses<=max_count), CHECK(spent>=0 AND spent<=max_total), CHECK(ctr_last>=ctr_base));
-- one that the device may still spend, per mandate and device
CREATE UNIQUE INDEX allowances_live ON allowances(mandate_id, device_id) WHERE ctr_end IS NULL AND state<>'ended';
CREATE INDEX allowances_carrier ON allowances(carrier_id);
-- each value of a counter belongs to one payment
CREATE TABLE offline_counts(ak_name TEXT NOT NULL, ctr BIGINT NOT NULL, allowance_id TEXT NOT NULL REFERENCES allowances, payment_id TEXT NOT NULL, PRIMARY KEY(ak_name, ctr));
CREATE INDEX offline_counts_allowance ON offline_counts(allowance_id);
`;

const MANIFESTS = `
-- a version that is revoked takes its mandates with it, and the devices that run it are told
CREATE INDEX mandates_manifest ON mandates(manifest_sha256);
CREATE INDEX device_agents_manifest ON device_agents(manifest_sha256);
`;

const statements = (...parts: string[]): string[] => parts.flatMap((part) => part.split(/;\n/)).map((text) => text.trim()).filter((text) => text !== '');

export const SCHEMA_VERSION_TABLE = 'CREATE TABLE IF NOT EXISTS schema_version(version BIGINT PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL)';
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, statements: statements(PEOPLE, DEVICES, FRESHNESS, DELEGATION, PAYMENTS, MONEY, DEPOSIT, SETTINGS, OFFLINE, MANIFESTS) },
];
