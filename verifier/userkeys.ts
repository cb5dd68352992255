/**
 * The keys of a user: several, each for itself. A key adds and revokes others, and itself; the operator may revoke any, and may add one. A key that the
 * operator adds beside others speaks only after a day, in which the user's own keys can still revoke it: whoever talks the operator into a "lost key"
 * gets nothing at once. Each change is deposited in the user's chain.
 */
import { fault } from '../src/base/fault.js';
import { sha256 } from '../src/base/bytes.js';
import { canonical, parseJson } from '../src/base/json.js';
import { Recent } from '../src/base/recent.js';
import { decode, publicJwk, type PublicJwk } from '../src/base/shape.js';
import { USER_ORDER, type UserOrder } from '../src/objects/carrier.js';
import { seal, type Verified } from '../src/objects/signed.js';
import { USER_KEY } from '../src/objects/userkey.js';
import { freshId, type Verifier } from './context.js';
import { orderEvent } from './events.js';
import { kidOf } from './keys.js';
import { leafDraft } from './leaves.js';
import type { UserKeyRow } from './store/verbs.js';
import { openByUser } from './users.js';

export const KEY_DELAY_MS = 86_400_000;

/** `passkey`: it signs assertions, never tokens. Its public key is what the browser's `getPublicKey()` gave, as a JWK. */
export interface GivenKey { readonly jwk: PublicJwk; readonly passkey: boolean }

function rpIdOf(v: Verifier, passkey: boolean): string | null {
  if (!passkey) return null;
  const { passkeys } = v.config;
  if (!passkeys) throw fault('intake.malformed', { what: 'passkey: this verifier takes none, see [passkeys] in its configuration' });
  return passkeys.rpId;
}

/** At the operator's word: the first key of a user speaks at once, every further one after {@link KEY_DELAY_MS}. @throws Fault store.conflict, intake.not_found */
export async function addKey(v: Verifier, userId: string, { jwk, passkey }: GivenKey): Promise<{ kid: string; fromMs: number }> {
  const kid = kidOf('user', jwk);
  const history = await v.store.userKeyHistory(userId);
  const known = history.find(({ keyId }) => keyId === kid);
  const fromMs = known?.fromMs ?? (history.length === 0 ? 0 : v.now() + KEY_DELAY_MS);
  await keep(v, { userId, jwk, kid, rpId: rpIdOf(v, passkey), fromMs, eventId: freshId(v, 'evt'), subject: sha256(kid) });
  return { kid, fromMs };
}

/** At the word of a key that speaks: at once. The order names the new key by its hash. @throws Fault of {@link openByUser}; intake.malformed, store.conflict */
export async function addKeyByUser(v: Verifier, token: string, { jwk, passkey }: GivenKey): Promise<{ kid: string; fromMs: number }> {
  const { value: { action, subject, sub, iat }, sha256: orderSha256 } = await openByUser(v, USER_ORDER, token);
  const kid = kidOf('user', jwk);
  if (action !== 'add' || subject !== kid) throw fault('intake.malformed', { what: 'order: it does not add this key' });
  await keep(v, { userId: sub, jwk, kid, rpId: rpIdOf(v, passkey), fromMs: v.now(), eventId: orderEvent(orderSha256, iat), subject: orderSha256 });
  return { kid, fromMs: v.now() };
}

interface NewKey { userId: string; jwk: PublicJwk; kid: string; rpId: string | null; fromMs: number; eventId: string; subject: string }

async function keep(v: Verifier, { userId, jwk, kid, rpId, fromMs, eventId, subject }: NewKey): Promise<void> {
  const leaf = { eventId, draft: leafDraft(v, { kind: 'rules_changed', chain: userId, subject }) };
  await v.store.addUserKey({ keyId: kid, userId, publicJwk: canonical(jwk), rpId, fromMs, leaf, nowMs: v.now() });
  v.log.soon();
}

/** Nothing that the key signed is permitted after the answer: not its mandates, not its consent. @throws Fault intake.not_found */
export async function revokeKey(v: Verifier, userId: string, kid: string, said: { eventId: string; subject: string }): Promise<void> {
  const leaf = { eventId: said.eventId, draft: leafDraft(v, { kind: 'revoked', chain: userId, subject: said.subject }) };
  const news = (await v.store.devicesOf(userId)).reduce((all, deviceId) => all.refresh(deviceId), v.outbox.news());
  const revoked = await v.store.revokeUserKey({ keyId: kid, userId, leaf, outbox: news.rows, nowMs: v.now() });
  if (!revoked) throw fault('intake.not_found', { what: `live key ${kid} of ${userId}` });
  v.log.soon();
  await news.told();
}

export const revokeKeyByOperator = (v: Verifier, userId: string, kid: string): Promise<void> => revokeKey(v, userId, kid, { eventId: freshId(v, 'evt'), subject: sha256(kid) });

/** @throws Fault intake.not_found */
export async function revokeKeyByUser(v: Verifier, { value: { sub, subject, iat }, sha256: orderSha256 }: Verified<UserOrder>): Promise<{ subject: string; state: string }> {
  await revokeKey(v, sub, subject, { eventId: orderEvent(orderSha256, iat), subject: orderSha256 });
  return { subject, state: 'revoked' };
}

/** Records that were signed before, by the names of signer and key: each payment of a user would carry the same. */
const records = new Recent<string>(4096);

/** The consent service's word whose key this is, for a bundle or a device. It never stands where strangers could list it. */
export function recordOf(v: Verifier, { keyId: kid, userId: sub, publicJwk: jwk }: UserKeyRow): string {
  const name = `${v.keys.consent.kid} ${kid}`;
  const value = { iss: v.config.issuers.verifier, iat: Math.floor(v.now() / 1000), sub, kid, jwk: decode(publicJwk, parseJson(jwk)) };
  const record = records.get(name) ?? seal(USER_KEY, value, v.keys.consent);
  records.set(name, record, 1);
  return record;
}

/** The record of a key that a user ever had. @throws Fault intake.not_found */
export async function keyRecord(v: Verifier, kid: string): Promise<string> {
  const row = await v.store.knownUserKey(kid);
  if (!row) throw fault('intake.not_found', { what: `user key ${kid}` });
  return recordOf(v, row);
}
