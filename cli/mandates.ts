/** What a user reads and narrows: mandates as the verifier holds them, opened with the user's keys, as the consent service says them. */
import { randomBytes } from 'node:crypto';
import { fault } from '../src/base/fault.js';
import { newId } from '../src/base/id.js';
import { canonical, type Json } from '../src/base/json.js';
import { decode } from '../src/base/shape.js';
import { maxPayments } from '../src/law/levels.js';
import { type Narrowing, narrow } from '../src/law/narrow.js';
import { statusReference } from '../src/objects/status.js';
import { parseTrust } from '../src/objects/trust.js';
import { withUserKeys } from '../src/objects/userkey.js';
import { issueMandate, type OpenedMandate, openMandate } from '../src/sdjwt/index.js';
import { carrierOf, order, showCarrier, type User } from './actions.js';
import type { Api } from './http.js';
import { word } from './output.js';

type Members = Record<string, Json>;
export interface Held { readonly view: Members; readonly opened: OpenedMandate }

/** A mandate with its state and use. Its signature is checked: what it says is what its user signed. @throws Fault intake.not_found, token.*, mandate.* */
export async function heldMandate(api: Api, mandateId: string): Promise<Held> {
  const [view, keys] = await Promise.all([api.get(`/v1/delegation/mandates/${encodeURIComponent(mandateId)}`), api.get('/.well-known/jwks.json')]);
  const { mandate, user_key: userKey } = view as Members;
  const { keys: known, owner } = withUserKeys(parseTrust(canonical(keys)), [word(userKey)]);
  const opened = openMandate(word(mandate), known);
  if (owner(opened.mandate.signer.kid) !== opened.mandate.value.sub) throw fault('mandate.signature');
  return { view: view as Members, opened };
}

/**
 * Ends a mandate and gives a tighter one in its place. The old one ends first, so that both never pay, and the new one gets no more payments than were
 * left; when the second step cannot be reached there is none, never two.
 * @throws Fault mandate.wider (then nothing was changed), mandate.exhausted
 */
export async function narrowMandate(api: Api, user: User, mandateId: string, wish: Narrowing): Promise<string> {
  const { view, opened } = await heldMandate(api, mandateId);
  const { value } = opened.mandate;
  const { currency } = carrierOf(await showCarrier(api, value.carrier.id));
  const at = { iat: Math.floor(Date.now() / 1000), currency };
  narrow(opened, wish, at);
  await order(api, user, 'revoke', mandateId);
  const left = await leftOf(api, opened, wish.maxPayments);
  const draft = narrow(opened, { ...wish, ...(left !== null && { maxPayments: left }) }, at);
  const jti = newId('mnd', Date.now(), randomBytes(10));
  const status = decode(statusReference, await api.post(`/v1/delegation/mandates/${jti}/status`, {}), 'status');
  const token = issueMandate({ ...draft.value, jti, status }, draft.open, user.key, randomBytes(16));
  await api.post('/v1/delegation/mandates', { device_id: view['device_id'] ?? null, mandate: token });
  return jti;
}

/** Payments that a mandate which has just ended had left, and of these at most so many; null when it had no number. */
async function leftOf(api: Api, { mandate: { value } }: OpenedMandate, wanted: number | undefined): Promise<number | null> {
  const max = maxPayments(value.level, value.task.maxPayments);
  if (max === null) return wanted ?? null;
  const { view } = await heldMandate(api, value.jti);
  const left = max - Number(view['uses']);
  if (left <= 0) throw fault('mandate.exhausted', { max });
  return Math.min(left, wanted ?? left);
}
