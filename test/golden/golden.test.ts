/**
 * Golden files: one example of every object and message, made from fixed keys. What is signed or hashed today must be signed and hashed the same way
 * tomorrow, or evidence that was deposited can no longer be checked. `GOLDEN=write npx vitest run test/golden` records them anew, on purpose only.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Json, canonical, hashJson, parseJson } from '../../src/base/json.js';
import { splitJws } from '../../src/base/jws.js';
import { decode, encode } from '../../src/base/shape.js';
import { CARRIER, CARRIER_REQUEST, USER_ORDER } from '../../src/objects/carrier.js';
import { CONFIRMATION, DECISION, POLICY } from '../../src/objects/decision.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { EAR } from '../../src/objects/ear.js';
import { MERCHANT_EAR } from '../../src/objects/merchant.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { OFFLINE_ALLOWANCE } from '../../src/objects/allowance.js';
import { EXECUTION_TOKEN, RECEIPT, REFUND } from '../../src/objects/settlement.js';
import { PAYEE_ENTRY } from '../../src/objects/payee.js';
import { REQUEST_PROOF, SESSION } from '../../src/objects/request.js';
import { USER_KEY } from '../../src/objects/userkey.js';
import { type SignedKind, open, seal } from '../../src/objects/signed.js';
import { closedHash, mandateHash, openClosed, openMandate } from '../../src/sdjwt/index.js';
import { LINK_SAMPLES } from '../src/link.samples.js';
import { SAMPLES } from '../src/objects/all.js';
import { NONCE, VERIFIER, closedPayment, closedToken, mandateToken, openPayment } from '../support/examples.js';
import { SIGNERS, keys } from '../support/keys.js';

const WRITE = process.env['GOLDEN'] === 'write';
const at = (name: string): string => fileURLToPath(new URL(`./${name}.json`, import.meta.url));
/** What is recorded under a name; when writing, what is said now becomes it. */
function recorded<T extends Json>(name: string, now: T): T {
  if (WRITE) writeFileSync(at(name), `${JSON.stringify(now, null, 1)}\n`);
  return parseJson(readFileSync(at(name), 'utf8')) as T;
}

const ALL = [...SAMPLES, ...LINK_SAMPLES];

describe('the payload and the hash of', () => {
  it.each(ALL.map((one) => [one.name, one] as const))('%s are as recorded', (name, { shape, value }) => {
    const wire = encode(shape, value);
    const kept = recorded<{ sha256: string; wire: Json }>(name, { sha256: hashJson(wire), wire });
    expect(canonical(wire)).toBe(canonical(kept.wire));
    expect(hashJson(kept.wire)).toBe(kept.sha256);
    expect(decode(shape, kept.wire)).toEqual(value);
  });
});

const KINDS: [string, SignedKind<unknown>][] = Object.entries({
  'agent-manifest': AGENT_MANIFEST, carrier: CARRIER, 'carrier-request': CARRIER_REQUEST, 'user-order': USER_ORDER, 'user-key': USER_KEY, 'payee-entry': PAYEE_ENTRY, 'request-proof': REQUEST_PROOF, session: SESSION, policy: POLICY, decision: DECISION, confirmation: CONFIRMATION,
  'device-record': DEVICE_RECORD, ear: EAR, 'merchant-ear': MERCHANT_EAR, 'execution-token': EXECUTION_TOKEN, receipt: RECEIPT, refund: REFUND, 'offline-allowance': OFFLINE_ALLOWANCE,
}) as never;

describe('the token of', () => {
  it.each(KINDS)('%s that was recorded still opens, and one that is signed now is the same but for its signature', (name, kind) => {
    const { value } = SAMPLES.find((one) => one.name === name)!;
    const now = seal(kind, value, SIGNERS[kind.role]);
    const { token } = recorded(`token-${name}`, { token: now });
    const opened = open(kind, token, keys);
    expect(opened.value).toEqual(value);
    expect(splitJws(now).signed).toBe(splitJws(token).signed);
    expect(splitJws(token).header).toEqual({ alg: 'ES256', kid: SIGNERS[kind.role].kid, typ: kind.typ });
  });

  it('mandate and closed mandate still opens, with the hashes by which others name them', () => {
    const kept = recorded('token-mandate', { mandate: mandateToken, mandate_sha256: mandateHash(mandateToken), closed: closedToken, closed_sha256: closedHash(closedToken) });
    const { mandate, open: openPart } = openMandate(kept.mandate, keys);
    expect(openPart).toEqual(openPayment);
    expect(mandate.sha256).toBe(kept.mandate_sha256);
    const { closed, binding } = openClosed(kept.closed, kept.mandate, mandate, { aud: VERIFIER, nonce: NONCE });
    expect(closed).toEqual(closedPayment);
    expect(binding.sdHash).toBe(kept.mandate_sha256);
    expect(closedHash(kept.closed)).toBe(kept.closed_sha256);
    expect(mandateToken.split('~').slice(1)).toEqual(kept.mandate.split('~').slice(1));
  });
});

it('no golden file is left of an object that is gone', () => {
  const expected = [...ALL.map(({ name }) => name), ...KINDS.map(([name]) => `token-${name}`), 'token-mandate'];
  const kept = readdirSync(fileURLToPath(new URL('.', import.meta.url))).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5));
  expect(kept.sort()).toEqual(expected.sort());
});
