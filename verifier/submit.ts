/** What users bring: mandates for agents on their devices, and consent to payments that wait for it. */
import { fault } from '../src/base/fault.js';
import { thumbprint, verifyKey } from '../src/base/jws.js';
import { decode, parse, publicJwk, stringify } from '../src/base/shape.js';
import { parseJson } from '../src/base/json.js';
import { consentChallenge, type UserAssertion, userAssertion, verifyAssertion } from '../src/objects/assertion.js';
import { type Confirmation, CONFIRMATION, CONSENT } from '../src/objects/decision.js';
import { type Intent, intent as intentShape } from '../src/objects/intent.js';
import type { Mandate } from '../src/objects/mandate.js';
import { assertLive, open, seal, type Verified } from '../src/objects/signed.js';
import { mandateHash } from '../src/sdjwt/index.js';
import type { Verifier } from './context.js';
import { orderEvent } from './events.js';
import { openUserMandate } from './inputs.js';
import { leafDraft } from './leaves.js';
import { statusOf } from './statuses.js';
import type { DeviceRow, PaymentRow, UserKeyRow } from './store/verbs.js';
import { openByUser, userKeyOf } from './users.js';

/** A device that the mandate's user is bound to, on which exactly the agent of the mandate holds the key that it names. */
async function deviceFor(v: Verifier, deviceId: string, { sub, agent, cnf }: Mandate): Promise<DeviceRow> {
  const device = await v.store.deviceById(deviceId);
  if (!device || device.state === 'revoked' || !(await v.store.usersOfDevice(deviceId)).includes(sub)) throw fault('intake.not_found', { what: `device ${deviceId}` });
  const agents = await v.store.deviceAgents(deviceId);
  const known = agents.find(({ agentId, manifestSha256 }) => agentId === agent.id && manifestSha256 === agent.manifestSha256);
  const holds = known && thumbprint(decode(publicJwk, parseJson(known.jwk))) === thumbprint(cnf.jwk);
  if (!holds) throw fault('intake.not_found', { what: `agent ${agent.id} with this manifest and key on device ${deviceId}` });
  return device;
}

/**
 * Registers a mandate for one device and tells the device.
 * @throws Fault mandate.*; intake.not_found when agent, key, device or carrier are not the user's; store.conflict
 */
export async function submitMandate(v: Verifier, deviceId: string, token: string): Promise<string> {
  const { mandate: { value } } = await openUserMandate(v, token);
  await deviceFor(v, deviceId, value);
  const carrier = await v.store.carrier(value.carrier.id);
  if (carrier?.userId !== value.sub) throw fault('intake.not_found', { what: `carrier ${value.carrier.id}` });
  if (value.exp * 1000 <= v.now()) throw fault('mandate.expired');
  await assertOwnStatus(v, value);
  const news = v.outbox.news().refresh(deviceId);
  await v.store.addMandate({
    mandateId: value.jti, mandateSha256: mandateHash(token), userId: value.sub, carrierId: value.carrier.id, deviceId, agentId: value.agent.id,
    manifestSha256: value.agent.manifestSha256, level: value.level, maxPayments: value.task.maxPayments, token, expMs: value.exp * 1000,
  }, news.rows);
  await news.told();
  return value.jti;
}

/** A mandate may name only its own bits: with another's it would look valid after its end. */
async function assertOwnStatus(v: Verifier, { jti, status }: Mandate): Promise<void> {
  if (status === undefined) return;
  const { statusList: { idx, uri } } = await statusOf(v, 'mandate', jti);
  if (status.statusList.idx !== idx || status.statusList.uri !== uri) throw fault('status.foreign');
}

/** The user who pays: whose mandate it was. */
export async function payer(v: Verifier, payment: PaymentRow): Promise<string | null> {
  const mandate = payment.mandateId === null ? null : await v.store.mandate(payment.mandateId);
  return mandate?.userId ?? null;
}

/** The user to whom a payment belongs: who pays, or without a mandate the user of its device. */
export const payerOf = async (v: Verifier, payment: PaymentRow): Promise<string | null> => (await payer(v, payment)) ?? (payment.mandateId === null ? ((await v.store.deviceById(payment.deviceId))?.userId ?? null) : null);

/**
 * Takes the user's consent to exactly one payment; its next attempt uses it.
 * @throws Fault of {@link openByUser}; intake.not_found, confirm.mismatch, confirm.not_awaited
 */
export async function submitConfirmation(v: Verifier, paymentId: string, token: string): Promise<string> {
  const confirmation = await openByUser(v, CONFIRMATION, token);
  const { kid } = await userKeyOf(v, token);
  return consent(v, paymentId, { confirmation, kid, assertion: null });
}

/** The passkey of an assertion, when it is this user's and of the relying party that this service is; and the pages that may ask. @throws Fault confirm.signature */
export async function assertingKey(v: Verifier, userId: string, { kid, rpId }: UserAssertion): Promise<{ row: UserKeyRow; origins: readonly string[] }> {
  const row = await v.store.userKey(kid, v.now());
  const { passkeys } = v.config;
  if (!passkeys || row?.userId !== userId || row.rpId !== rpId || row.rpId !== passkeys.rpId) throw fault('confirm.signature');
  return { row, origins: passkeys.origins };
}

/**
 * The same with a passkey: it has signed the hash of these terms, and the consent service signs the terms themselves. Both are kept, and both are
 * verified again offline.
 * @throws Fault confirm.signature, confirm.assertion, token.time, and those of {@link submitConfirmation}
 */
export async function submitAssertion(v: Verifier, paymentId: string, terms: Confirmation, assertion: UserAssertion): Promise<string> {
  const { row, origins } = await assertingKey(v, terms.sub, assertion);
  const counter = verifyAssertion(assertion, verifyKey(decode(publicJwk, parseJson(row.publicJwk)), row.keyId), consentChallenge(terms), origins);
  assertLive(CONSENT, terms, Math.floor(v.now() / 1000));
  if (!(await v.store.countAssertion(row.keyId, counter))) throw fault('confirm.assertion', { what: 'its counter did not rise: the passkey was copied' });
  const confirmation = open(CONSENT, seal(CONSENT, terms, v.keys.consent), v.trust.keys);
  return consent(v, paymentId, { confirmation, kid: row.keyId, assertion: stringify(userAssertion, assertion) });
}

async function consent(v: Verifier, paymentId: string, { confirmation, kid, assertion }: { confirmation: Verified<Confirmation>; kid: string; assertion: string | null }): Promise<string> {
  const { value, sha256, token } = confirmation;
  const payment = await v.store.payment(paymentId);
  if (!payment || value.sub !== (await payer(v, payment))) throw fault('intake.not_found', { what: `payment ${paymentId}` });
  assertSameTerms(value, payment, parse(intentShape, payment.intent));
  const draft = leafDraft(v, { kind: 'confirmed', chain: payment.carrierId ?? payment.deviceId, payment: payment.paymentSha256, confirmation: sha256, subject: sha256 });
  const news = v.outbox.news().tell(payment.deviceId, 'confirmed', { paymentId, confirmation: token });
  await v.store.addConfirmation({ confirmationId: value.jti, paymentId, keyId: kid, token, assertion, leaf: { eventId: orderEvent(sha256, value.iat), draft }, outbox: news.rows, nowMs: v.now() });
  v.log.soon();
  await news.told();
  return value.jti;
}

/** A consent to other terms is refused at once, so that the user hears of it now and not at the next attempt. */
function assertSameTerms(given: Confirmation, payment: PaymentRow, { order, amount, payee }: Intent): void {
  const same = {
    payment: given.paymentId === payment.paymentId && given.paymentSha256 === payment.paymentSha256,
    terms: given.termsSha256 === order.termsSha256,
    amount: given.amount.amount === amount.amount && given.amount.currency === amount.currency,
    payee: given.payee.id === payee.id && given.payee.origin === payee.origin,
  };
  const wrong = Object.entries(same).find(([, equal]) => !equal);
  if (wrong) throw fault('confirm.mismatch', { what: wrong[0] });
}
