/** What users bring: mandates for agents on their devices, and consent to payments that wait for it. */
import { fault } from '../src/base/fault.js';
import { thumbprint } from '../src/base/jws.js';
import { decode, parse, publicJwk } from '../src/base/shape.js';
import { parseJson } from '../src/base/json.js';
import { type Confirmation, CONFIRMATION } from '../src/objects/decision.js';
import { type Intent, intent as intentShape } from '../src/objects/intent.js';
import type { Mandate } from '../src/objects/mandate.js';
import { mandateHash } from '../src/sdjwt/index.js';
import type { Verifier } from './context.js';
import { orderEvent } from './events.js';
import { openUserMandate } from './inputs.js';
import { leafDraft } from './leaves.js';
import { pushMandates } from './mandates.js';
import { statusOf } from './statuses.js';
import type { DeviceRow, PaymentRow } from './store/verbs.js';
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
  await v.store.addMandate({
    mandateId: value.jti, mandateSha256: mandateHash(token), userId: value.sub, carrierId: value.carrier.id, deviceId, agentId: value.agent.id,
    manifestSha256: value.agent.manifestSha256, level: value.level, maxPayments: value.task.maxPayments, token, expMs: value.exp * 1000,
  });
  await pushMandates(v, deviceId);
  return value.jti;
}

/** A mandate may name only its own bits: with another's it would look valid after its end. */
async function assertOwnStatus(v: Verifier, { jti, status }: Mandate): Promise<void> {
  if (status === undefined) return;
  const { statusList: { idx, uri } } = await statusOf(v, 'mandate', jti);
  if (status.statusList.idx !== idx || status.statusList.uri !== uri) throw fault('status.foreign');
}

/** The user to whom a payment belongs. */
export async function payer(v: Verifier, payment: PaymentRow): Promise<string | null> {
  const mandate = payment.mandateId === null ? null : await v.store.mandate(payment.mandateId);
  return mandate?.userId ?? null;
}

/**
 * Takes the user's consent to exactly one payment; its next attempt uses it.
 * @throws Fault of {@link openByUser}; intake.not_found, confirm.mismatch, confirm.not_awaited
 */
export async function submitConfirmation(v: Verifier, paymentId: string, token: string): Promise<string> {
  const confirmation = await openByUser(v, CONFIRMATION, token);
  const payment = await v.store.payment(paymentId);
  if (!payment || confirmation.value.sub !== (await payer(v, payment))) throw fault('intake.not_found', { what: `payment ${paymentId}` });
  assertSameTerms(confirmation.value, payment, parse(intentShape, payment.intent));
  const { kid } = await userKeyOf(v, token);
  const draft = leafDraft(v, { kind: 'confirmed', chain: payment.carrierId ?? payment.deviceId, payment: payment.paymentSha256, confirmation: confirmation.sha256, subject: confirmation.sha256 });
  const leaf = { eventId: orderEvent(confirmation.sha256, confirmation.value.iat), draft };
  await v.store.addConfirmation({ confirmationId: confirmation.value.jti, paymentId, keyId: kid, token, leaf, nowMs: v.now() });
  v.hub.push(payment.deviceId, 'confirmed', { paymentId, confirmation: token });
  return confirmation.value.jti;
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
