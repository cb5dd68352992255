/**
 * Every CHECK and UNIQUE of the schema with a row that keeps it and one that breaks it, by one fact each. The rows stand on a ground of rows that are there
 * in every case.
 */
export interface SchemaPromise { readonly promise: string; readonly keeps: string; readonly breaks: string }

export const GROUND = [
  `INSERT INTO users VALUES('u', 'person', 1)`,
  `INSERT INTO devices VALUES('d', 'ek', 'cloud', 'u', 'enrolled', 0, 1), ('d2', 'ek2', NULL, 'u', 'enrolled', 0, 1)`,
  `INSERT INTO device_keys VALUES('ak', 'd', 'record', 1, NULL)`,
  `INSERT INTO measurement_heads VALUES('d', 'epoch', 'ak', 1, 'r', 5, 0)`,
  `INSERT INTO carriers VALUES('c', 'u', 'CNY', 'active', 1, 100, 0, 0, 0)`,
  `INSERT INTO mandates VALUES('m', 'hash m', 'u', 'c', 'd', 'agent', 'manifest', 'L3', NULL, 't', 'valid', 9)`,
  `INSERT INTO payments VALUES('p', 'd', 'agent', 'key', 'r', 'hash p', '{}', 'm', 'c', 'permitted', NULL, 0, 1), ('q', 'd', 'agent', 'key q', 'r', 'hash q', '{}', 'm', 'c', 'permitted', NULL, 0, 1)`,
  `INSERT INTO attempts VALUES('p', 1, 'nonce', '{}', 'ear', '{}', 'd', 'permit', 1)`,
  `INSERT INTO confirmations VALUES('cnf', 'p', 'key', 't', NULL, NULL)`,
  `INSERT INTO mandate_uses VALUES('m', 1, 'p', 'held')`,
  `INSERT INTO reservations VALUES('r', 'p', 'c', 10, 0, 0, 9, 1)`,
  `INSERT INTO accounts VALUES('a', 'main', 'CNY', 5), ('b', 'available', 'CNY', 5)`,
  `INSERT INTO log_leaves VALUES(0, 'e', 'chain', 0, NULL, 'h', '{}')`,
  `INSERT INTO execution_tokens VALUES('t', 'p', 'r', 0, 'token', 9)`,
  `INSERT INTO statuses VALUES('list', 0, 'subject', 0, 1)`,
  `INSERT INTO policies VALUES('hash', 'id', 1, 'enforce', 't')`,
];

const row = (promise: string, keeps: string, breaks: string): SchemaPromise => ({ promise, keeps, breaks });
const insert = (promise: string, table: string, keeps: string, breaks: string): SchemaPromise => row(promise, `INSERT INTO ${table} VALUES(${keeps})`, `INSERT INTO ${table} VALUES(${breaks})`);

export const PROMISES: SchemaPromise[] = [
  insert(`users CHECK(kind IN('person','organisation'))`, 'users', `'x', 'organisation', 1`, `'x', 'robot', 1`),
  insert(`user_keys CHECK(method IN('jwk','webauthn'))`, 'user_keys', `'k', 'u', 'jwk', '{}', 0, 0, NULL, NULL`, `'k', 'u', 'password', '{}', 0, 0, NULL, NULL`),
  insert(`user_keys CHECK((method='webauthn')=(rp_id IS NOT NULL))`, 'user_keys', `'k', 'u', 'webauthn', '{}', 0, 0, 'rp', NULL`, `'k', 'u', 'webauthn', '{}', 0, 0, NULL, NULL`),
  insert(`enrol_codes CHECK(re_enrol IN(0,1))`, 'enrol_codes', `'c', 'u', 1, 9, NULL, NULL, NULL`, `'c', 'u', 2, 9, NULL, NULL, NULL`),
  insert(`devices CHECK(state IN('enrolled','suspended','revoked'))`, 'devices', `'x', 'ek3', NULL, 'u', 'suspended', 0, 1`, `'x', 'ek3', NULL, 'u', 'trusted', 0, 1`),
  insert(`devices CHECK(simulated IN(0,1))`, 'devices', `'x', 'ek3', NULL, 'u', 'enrolled', 1, 1`, `'x', 'ek3', NULL, 'u', 'enrolled', 2, 1`),
  insert('UNIQUE INDEX devices_ek', 'devices', `'x', 'ek', NULL, 'u', 'revoked', 0, 1`, `'x', 'ek', NULL, 'u', 'suspended', 0, 1`),
  insert('UNIQUE INDEX devices_provider', 'devices', `'x', 'ek3', 'cloud', 'u', 'revoked', 0, 1`, `'x', 'ek3', 'cloud', 'u', 'suspended', 0, 1`),
  insert('UNIQUE INDEX device_keys_live', 'device_keys', `'ak9', 'd', 'record', 1, 2`, `'ak9', 'd', 'record', 1, NULL`),
  insert('UNIQUE INDEX measurement_heads_boot', 'measurement_heads', `'d', 'epoch 2', 'ak', 1, 'r', 5, 1`, `'d', 'epoch 2', 'ak', 1, 'r', 5, 0`),
  insert(`used_nonces CHECK(purpose IN('payment','platform','counter'))`, 'used_nonces', `'n', 'd', 'counter', 9, 1`, `'n', 'd', 'any', 9, 1`),
  insert('carriers CHECK(length(currency)=3)', 'carriers', `'x', 'u', 'EUR', 'active', 1, 100, 0, 0, 0`, `'x', 'u', 'EURO', 'active', 1, 100, 0, 0, 0`),
  insert(`carriers CHECK(state IN('active','frozen','revoked','expired'))`, 'carriers', `'x', 'u', 'EUR', 'frozen', 1, 100, 0, 0, 0`, `'x', 'u', 'EUR', 'open', 1, 100, 0, 0, 0`),
  insert('carriers CHECK(reserved>=0)', 'carriers', `'x', 'u', 'EUR', 'active', 1, 100, 0, 50, 0`, `'x', 'u', 'EUR', 'active', 1, 100, -1, 50, 0`),
  insert('carriers CHECK(spent>=0)', 'carriers', `'x', 'u', 'EUR', 'active', 1, 100, 50, 0, 0`, `'x', 'u', 'EUR', 'active', 1, 100, 50, -1, 0`),
  insert('carriers CHECK(reserved+spent<=total_max)', 'carriers', `'x', 'u', 'EUR', 'active', 1, 100, 50, 50, 0`, `'x', 'u', 'EUR', 'active', 1, 100, 50, 51, 0`),
  insert('mandates UNIQUE(mandate_sha256)', 'mandates', `'x', 'hash x', 'u', 'c', 'd', 'agent', 'manifest', 'L3', NULL, 't', 'valid', 9`, `'x', 'hash m', 'u', 'c', 'd', 'agent', 'manifest', 'L3', NULL, 't', 'valid', 9`),
  insert(`mandates CHECK(state IN('valid','suspended','revoked','expired'))`, 'mandates', `'x', 'hash x', 'u', 'c', 'd', 'agent', 'manifest', 'L3', NULL, 't', 'expired', 9`, `'x', 'hash x', 'u', 'c', 'd', 'agent', 'manifest', 'L3', NULL, 't', 'used', 9`),
  insert('statuses UNIQUE(subject)', 'statuses', `'list', 1, 'other', 0, 1`, `'list', 1, 'subject', 0, 1`),
  insert('statuses CHECK(value IN(0,1,2))', 'statuses', `'list', 1, 'other', 2, 1`, `'list', 1, 'other', 3, 1`),
  insert('payments UNIQUE(payment_sha256)', 'payments', `'x', 'd', 'agent', 'key x', 'r', 'hash x', '{}', NULL, NULL, 'denied', NULL, 0, 1`, `'x', 'd', 'agent', 'key x', 'r', 'hash p', '{}', NULL, NULL, 'denied', NULL, 0, 1`),
  insert('payments UNIQUE(device_id, agent_id, idempotency_key)', 'payments', `'x', 'd2', 'agent', 'key', 'r', 'hash x', '{}', NULL, NULL, 'denied', NULL, 0, 1`, `'x', 'd', 'agent', 'key', 'r', 'hash x', '{}', NULL, NULL, 'denied', NULL, 0, 1`),
  insert('attempts UNIQUE(nonce)', 'attempts', `'p', 2, 'nonce 2', '{}', 'ear', '{}', 'd', 'deny', 1`, `'p', 2, 'nonce', '{}', 'ear', '{}', 'd', 'deny', 1`),
  insert(`attempts CHECK(decision_kind IN('permit','confirm','deny'))`, 'attempts', `'p', 2, 'nonce 2', '{}', 'ear', '{}', 'd', 'confirm', 1`, `'p', 2, 'nonce 2', '{}', 'ear', '{}', 'd', 'maybe', 1`),
  insert('UNIQUE INDEX one_permit', 'attempts', `'q', 1, 'nonce 2', '{}', 'ear', '{}', 'd', 'permit', 1`, `'p', 2, 'nonce 2', '{}', 'ear', '{}', 'd', 'permit', 1`),
  insert('confirmations UNIQUE(payment_id, key_id)', 'confirmations', `'x', 'p', 'other key', 't', NULL, NULL`, `'x', 'p', 'key', 't', NULL, NULL`),
  insert('mandate_uses CHECK(slot>=1)', 'mandate_uses', `'m', 2, 'q', 'held'`, `'m', 0, 'q', 'held'`),
  insert('mandate_uses UNIQUE(payment_id)', 'mandate_uses', `'m', 2, 'q', 'held'`, `'m', 2, 'p', 'held'`),
  insert(`mandate_uses CHECK(state IN('held','used','freed'))`, 'mandate_uses', `'m', 2, 'q', 'used'`, `'m', 2, 'q', 'lost'`),
  insert('UNIQUE INDEX mandate_slot', 'mandate_uses', `'m', 1, 'q', 'freed'`, `'m', 1, 'q', 'used'`),
  insert('reservations UNIQUE(payment_id)', 'reservations', `'x', 'q', 'c', 10, 0, 0, 9, 1`, `'x', 'p', 'c', 10, 0, 0, 9, 1`),
  insert('reservations CHECK(amount>0)', 'reservations', `'x', 'q', 'c', 1, 0, 0, 9, 1`, `'x', 'q', 'c', 0, 0, 0, 9, 1`),
  insert('reservations CHECK(captured>=0 AND released>=0 AND captured+released<=amount)', 'reservations', `'x', 'q', 'c', 10, 4, 6, 9, 1`, `'x', 'q', 'c', 10, 5, 6, 9, 1`),
  insert('refunds CHECK(amount>0)', 'refunds', `'x', 'p', 1, 'started', NULL, 1`, `'x', 'p', 0, 'started', NULL, 1`),
  insert(`refunds CHECK(state IN('started','settled','failed'))`, 'refunds', `'x', 'p', 1, 'settled', NULL, 1`, `'x', 'p', 1, 'paid', NULL, 1`),
  insert(`accounts CHECK(kind IN('main','available','reserved','payee','external'))`, 'accounts', `'x', 'payee', 'CNY', 0`, `'x', 'secret', 'CNY', 0`),
  insert(`accounts CHECK(balance>=0 OR kind='external')`, 'accounts', `'x', 'external', 'CNY', -1`, `'x', 'main', 'CNY', -1`),
  insert('transfers CHECK(amount>0)', 'transfers', `'e', 0, 'a', 'b', 1, 1`, `'e', 0, 'a', 'b', 0, 1`),
  insert('transfers CHECK(debit<>credit)', 'transfers', `'e', 0, 'a', 'b', 1, 1`, `'e', 0, 'a', 'a', 1, 1`),
  insert('log_leaves UNIQUE(event_id)', 'log_leaves', `1, 'f', 'chain', 1, NULL, 'h', '{}'`, `1, 'e', 'chain', 1, NULL, 'h', '{}'`),
  insert('log_leaves UNIQUE(chain, seq)', 'log_leaves', `1, 'f', 'chain', 1, NULL, 'h', '{}'`, `1, 'f', 'chain', 0, NULL, 'h', '{}'`),
  insert('execution_tokens UNIQUE(payment_id)', 'execution_tokens', `'x', 'q', 'r2', 0, 'token', 9`, `'x', 'p', 'r2', 0, 'token', 9`),
  insert('execution_tokens UNIQUE(reservation_id)', 'execution_tokens', `'x', 'q', 'r2', 0, 'token', 9`, `'x', 'q', 'r', 0, 'token', 9`),
  insert(`redemptions CHECK(state IN('held','started','settled','failed'))`, 'redemptions', `'t', 'r', 5, 'started', NULL, 1`, `'t', 'r', 5, 'paid', NULL, 1`),
  insert(`redemptions CHECK((state='held')=(amount IS NULL))`, 'redemptions', `'t', NULL, NULL, 'held', NULL, 1`, `'t', NULL, 5, 'held', NULL, 1`),
  insert('policies UNIQUE(id, version)', 'policies', `'other', 'id', 2, 'enforce', 't'`, `'other', 'id', 1, 'enforce', 't'`),
];

/** Rows that break what is promised without CHECK or UNIQUE: keys, references, and what must be there. */
export const FURTHER: SchemaPromise[] = [
  insert('no capture of less than nothing', 'reservations', `'x', 'q', 'c', 10, 0, 6, 9, 1`, `'x', 'q', 'c', 10, -1, 6, 9, 1`),
  insert('no release of less than nothing', 'reservations', `'x', 'q', 'c', 10, 4, 0, 9, 1`, `'x', 'q', 'c', 10, 4, -1, 9, 1`),
  insert('no token without its leaf', 'execution_tokens', `'x', 'q', 'r2', 0, 'token', 9`, `'x', 'q', 'r2', NULL, 'token', 9`),
  insert('no token for a leaf that is not there', 'execution_tokens', `'x', 'q', 'r2', 0, 'token', 9`, `'x', 'q', 'r2', 7, 'token', 9`),
  insert('no redemption of a token that was never released', 'redemptions', `'t', 'r', 5, 'started', NULL, 1`, `'forged', 'r', 5, 'started', NULL, 1`),
  insert('no attempt of a payment that is not there', 'attempts', `'p', 2, 'n2', '{}', 'ear', '{}', 'd', 'deny', 1`, `'none', 2, 'n2', '{}', 'ear', '{}', 'd', 'deny', 1`),
  insert('no transfer from an account that is not there', 'transfers', `'e', 0, 'a', 'b', 1, 1`, `'e', 0, 'nowhere', 'b', 1, 1`),
  insert('no second leaf at one place of the log', 'log_leaves', `1, 'f', 'other', 0, NULL, 'h', '{}'`, `0, 'f', 'other', 0, NULL, 'h', '{}'`),
  insert('no attempt without a nonce', 'attempts', `'p', 2, 'n2', '{}', 'ear', '{}', 'd', 'deny', 1`, `'p', 2, NULL, '{}', 'ear', '{}', 'd', 'deny', 1`),
];
