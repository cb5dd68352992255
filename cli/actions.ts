/** What users and operators do at a verifier: each a signed object or an operator's call. The commands and the demo do the same. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { sha256, toB64u } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { newId } from '../src/base/id.js';
import { type Json } from '../src/base/json.js';
import { type Signer, thumbprint } from '../src/base/jws.js';
import { decode, parse, publicJwk, type PublicJwk, stringify } from '../src/base/shape.js';
import { type IdPrefix, type Level, ROLES } from '../src/names.js';
import { CARRIER, CARRIER_REQUEST, type Carrier, type CarrierRules, USER_ORDER, type UserOrder, rulesHash } from '../src/objects/carrier.js';
import { CONFIRMATION } from '../src/objects/decision.js';
import { type Intent, intent, paymentHash } from '../src/objects/intent.js';
import { CARRIER_INSTRUMENT, type Constraint, OPEN_PAYMENT_VCT } from '../src/objects/mandate.js';
import { MANIFEST_ORDER, type ManifestOrder } from '../src/objects/manifest.js';
import { seal } from '../src/objects/signed.js';
import { type StatusReference, statusReference } from '../src/objects/status.js';
import { trustFile } from '../src/objects/trust.js';
import { issueMandate } from '../src/sdjwt/index.js';
import type { Api } from './http.js';
import { word } from './output.js';

type Members = Record<string, Json>;
const members = (value: Json): Members => value as Members;
const fresh = (prefix: IdPrefix): string => newId(prefix, Date.now(), randomBytes(10));
const nowS = (): number => Math.floor(Date.now() / 1000);
const ORDER_LIFE_S = 300;

/** A user with one registered key. */
export interface User { userId: string; key: Signer }

export async function createUser(api: Api, key: Signer, kind: 'person' | 'organisation' = 'person'): Promise<User> {
  const userId = word(members(await api.post('/v1/delegation/users', { kind }))['user_id']);
  await api.post(`/v1/delegation/users/${userId}/keys`, { jwk: key.jwk });
  return { userId, key };
}

/** A one-time code with which a device enrols for a user. */
export const enrolCode = async (api: Api, userId: string, reEnrol = false): Promise<string> => word(members(await api.post('/v1/trust/enrol-codes', { user_id: userId, re_enrol: reEnrol }))['code']);

export const putPayee = (api: Api, payee: { payeeId: string; origin: string | null; scenario: string; settleAccount: string }): Promise<Json> =>
  api.post('/v1/commerce/payees', { payee_id: payee.payeeId, origin: payee.origin, scenario: payee.scenario, settle_account: payee.settleAccount });

/** What the directory says of a payee. @throws Fault intake.not_found */
export const showPayee = async (api: Api, payeeId: string, origin: string | null): Promise<Members> =>
  members(await api.get(`/v1/commerce/payees/${encodeURIComponent(payeeId)}${origin === null ? '' : `?origin=${encodeURIComponent(origin)}`}`));

/** Opens a carrier (rev 1) or revises one. @returns the carrier's id */
export async function putCarrier(api: Api, user: User, { carrierId = fresh('crr'), rev = 1, currency, rules, agents }: { carrierId?: string; rev?: number; currency: string; rules: Omit<CarrierRules, 'salt'>; agents: string[] }): Promise<string> {
  const iat = nowS();
  const request = seal(CARRIER_REQUEST, { jti: carrierId, sub: user.userId, iat, exp: iat + ORDER_LIFE_S, rev, currency, rules: { salt: salt(), ...rules }, agents }, user.key);
  await api.post('/v1/delegation/carriers', { request });
  return carrierId;
}

export const fundCarrier = (api: Api, carrierId: string, amount: bigint, eventId: string = fresh('evt')): Promise<Json> =>
  api.post(`/v1/delegation/carriers/${carrierId}/fund`, { event_id: eventId, amount: Number(amount) });

/** Back to the main account. */
export const returnFunds = (api: Api, carrierId: string, amount: bigint, eventId: string = fresh('evt')): Promise<Json> =>
  api.post(`/v1/delegation/carriers/${carrierId}/return`, { event_id: eventId, amount: Number(amount) });

export const showCarrier = async (api: Api, carrierId: string): Promise<Members> => members(await api.get(`/v1/delegation/carriers/${carrierId}`));

/** The carrier's content. Its signature is the verifier's to check: whoever signs a mandate for it trusts that verifier. */
export const carrierOf = (view: Members): Carrier => parse(CARRIER.shape, Buffer.from(word(view['carrier']).split('.')[1] ?? '', 'base64url'), 'carrier');

/** Freezes, thaws or revokes a carrier, mandate or device; revokes a key. @returns its state after that */
export async function order(api: Api, user: User, action: 'freeze' | 'thaw' | 'revoke', subject: string): Promise<string> {
  return word(members(await api.post('/v1/delegation/orders', { order: orderOf(user, action, subject) }))['state']);
}

function orderOf(user: User, action: UserOrder['action'], subject: string): string {
  const iat = nowS();
  return seal(USER_ORDER, { jti: fresh('evt'), sub: user.userId, iat, exp: iat + ORDER_LIFE_S, action, subject }, user.key);
}

/** A publisher ends an agent version of its own. */
export async function revokeManifest(api: Api, { iss, manifestSha256 }: Pick<ManifestOrder, 'iss' | 'manifestSha256'>, publisher: Signer): Promise<void> {
  const iat = nowS();
  await api.post('/v1/trust/manifests/revoke', { order: seal(MANIFEST_ORDER, { jti: fresh('evt'), iss, iat, exp: iat + ORDER_LIFE_S, action: 'revoke', manifestSha256 }, publisher) });
}

interface UserKeyState { readonly kid: string; readonly fromMs: number; readonly revokedMs: number | null }
export const userKeysOf = async (api: Api, userId: string): Promise<UserKeyState[]> =>
  (members(await api.get(`/v1/delegation/users/${userId}/keys`))['keys'] as Members[]).map(({ kid, from_ms: fromMs, revoked_ms: revokedMs }) => ({ kid: word(kid), fromMs: Number(fromMs), revokedMs: revokedMs === null ? null : Number(revokedMs) }));

/** By an order of the user, or at the operator's word (`by` is then only her id). @returns the key's name, and since when it speaks */
export async function addUserKey(api: Api, by: User | string, jwk: PublicJwk, passkey: boolean): Promise<{ kid: string; fromMs: number }> {
  const given = { jwk: { ...jwk }, passkey };
  const kid = `${ROLES.user}-${thumbprint(jwk)}`;
  const answer = members(await (typeof by === 'string' ? api.post(`/v1/delegation/users/${by}/keys`, given) : api.post('/v1/delegation/keys', { ...given, order: orderOf(by, 'add', kid) })));
  return { kid: word(answer['kid']), fromMs: Number(answer['from_ms']) };
}

/** At the operator's word; a user revokes her keys by {@link order}. */
export const revokeUserKey = (api: Api, userId: string, kid: string): Promise<Json> => api.post(`/v1/delegation/users/${userId}/keys/${encodeURIComponent(kid)}/revoke`, {});

/** Lets whoever gave a one-time code use the device too. @returns that user's id */
export const bindUser = async (api: Api, user: User, deviceId: string, code: string): Promise<string> =>
  word(members(await api.post(`/v1/trust/devices/${deviceId}/users`, { code, order: orderOf(user, 'add', deviceId) }))['user_id']);

/** Gives back an amount, or everything that is left of the payment. */
export async function refundPayment(api: Api, paymentId: string, amount: bigint | undefined, refundId: string = fresh('evt')): Promise<Members> {
  const path = `/v1/payment/payments/${encodeURIComponent(paymentId)}`;
  const left = amount ?? leftOf(members(await api.get(path)));
  return members(await api.post(`${path}/refunds`, { refund_id: refundId, amount: Number(left) }));
}

/** What of a captured payment was not given back. */
function leftOf({ captured, refunds }: Members): bigint {
  const back = (refunds as Members[]).filter(({ state }) => state !== 'failed').reduce((sum, one) => sum + BigInt(one['amount'] as number), 0n);
  return BigInt((captured ?? 0) as number) - back;
}

export const disputePayment = async (api: Api, user: User, paymentId: string): Promise<string> =>
  word(members(await api.post('/v1/payment/disputes', { order: orderOf(user, 'dispute', paymentId) }))['state']);

export const rejectDispute = async (api: Api, paymentId: string): Promise<Members> => members(await api.post(`/v1/payment/payments/${encodeURIComponent(paymentId)}/dispute/rejection`, {}));

export interface MandateTerms {
  deviceId: string;
  agentId: string;
  carrierId: string;
  level: Level;
  summary: string;
  /** Limits that AP2 verifiers understand too. Amounts in minor units. */
  maxAmount: bigint;
  payees: string[];
  taskId: string | null;
  maxPayments: number | null;
  lifeS: number;
}

const AGENT_VIEW = (value: Json): { version: string; manifestSha256: string; jwk: PublicJwk } => {
  const { version, manifest_sha256: manifestSha256, jwk } = members(value);
  return { version: word(version), manifestSha256: word(manifestSha256), jwk: decode(publicJwk, jwk) };
};

/** Signs and registers a mandate for the agent version that the device runs now. @returns the mandate's id */
export async function createMandate(api: Api, user: User, terms: MandateTerms): Promise<string> {
  const { agents } = members(await api.get(`/v1/delegation/devices/${terms.deviceId}/agents`));
  const found = (agents as Json[]).find((agent) => members(agent)['agent_id'] === terms.agentId);
  if (!found) throw fault('intake.not_found', { what: `agent ${terms.agentId} on device ${terms.deviceId}` });
  const agent = AGENT_VIEW(found);
  const carrier = carrierOf(await showCarrier(api, terms.carrierId));
  const mandateId = fresh('mnd');
  const status = decode(statusReference, await api.post(`/v1/delegation/mandates/${mandateId}/status`, {}), 'status');
  const token = signMandate(user, { ...terms, mandateId, status }, agent, carrier);
  return word(members(await api.post('/v1/delegation/mandates', { device_id: terms.deviceId, mandate: token }))['mandate_id']);
}

function signMandate(user: User, terms: MandateTerms & { mandateId: string; status: StatusReference }, agent: ReturnType<typeof AGENT_VIEW>, carrier: Carrier): string {
  const iat = nowS();
  const life = { iat, nbf: iat, exp: iat + terms.lifeS };
  const value = {
    iss: user.userId, jti: terms.mandateId, sub: user.userId, status: terms.status, ...life, cnf: { jwk: agent.jwk },
    agent: { id: terms.agentId, version: agent.version, manifestSha256: agent.manifestSha256 },
    level: terms.level, mode: terms.level < 'L3' ? 'instant' as const : 'delegated' as const,
    task: { id: terms.taskId, summary: terms.summary, textSha256: sha256(terms.summary), maxPayments: terms.maxPayments },
    carrier: { id: terms.carrierId, rulesSha256: rulesHash(carrier.rules) },
  };
  return issueMandate(value, { vct: OPEN_PAYMENT_VCT, constraints: constraintsOf(terms, carrier.currency), cnf: { jwk: agent.jwk }, iat, exp: life.exp }, user.key, randomBytes(16));
}

const constraintsOf = ({ maxAmount, payees, carrierId }: MandateTerms, currency: string): Constraint[] => [
  { type: 'payment.amount_range', currency, max: maxAmount },
  ...(payees.length === 0 ? [] : [{ type: 'payment.allowed_payees' as const, allowed: payees.map((id) => ({ id, name: id })) }]),
  { type: 'payment.allowed_payment_instruments', allowed: [{ id: carrierId, type: CARRIER_INSTRUMENT }] },
];

/** A payment that waits for its user, as the verifier shows it. */
export async function paymentIntent(api: Api, paymentId: string): Promise<Intent> {
  return decode(intent, members(await api.get(`/v1/payment/payments/${paymentId}`))['intent'], 'payment');
}

/** The user's consent to exactly the payment that was shown. */
export async function confirmPayment(api: Api, user: User, paymentId: string, shown: Intent): Promise<void> {
  const iat = nowS();
  const token = seal(CONFIRMATION, {
    jti: fresh('cnf'), sub: user.userId, iat, exp: iat + 600, paymentId, paymentSha256: paymentHash(shown), termsSha256: shown.order.termsSha256, amount: shown.amount, payee: shown.payee,
  }, user.key);
  await api.post(`/v1/payment/payments/${paymentId}/confirmations`, { token });
}

/** Enters a publisher's public key into a verifier's publishers file. */
export function trustPublisher(file: string, publisher: string, { kty, crv, x, y }: PublicJwk): void {
  const known = existsSync(file) ? parse(trustFile, readFileSync(file, 'utf8'), file) : { keys: [], ariLogs: [] };
  const kid = `${ROLES.publisher}-${thumbprint({ kty, crv, x, y })}`;
  if (known.keys.some((row) => row.kid === kid)) return;
  const row = { kty, crv, x, y, kid, use: 'sig' as const, alg: 'ES256' as const, ariRole: 'publisher' as const, ariSub: publisher };
  writeFileSync(file, `${stringify(trustFile, { ...known, keys: [...known.keys, row] })}\n`);
}

const salt = (): string => toB64u(randomBytes(16));
