/** What users sign. A user's key is found by the key id in the token, and speaks for the user it is registered to and for nobody else. */
import { sha256 } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { parseJson } from '../src/base/json.js';
import { splitJws, verifyKey } from '../src/base/jws.js';
import { decode, publicJwk } from '../src/base/shape.js';
import type { UserOrder } from '../src/objects/carrier.js';
import { assertLive, type KeyFinder, open, type SignedKind, type Verified } from '../src/objects/signed.js';
import type { Verifier } from './context.js';

/** The registered user key that a token names, as a finder that knows no other. @throws Fault token.malformed, token.signature */
export async function userKeyOf(v: Verifier, jws: string): Promise<{ keys: KeyFinder; userId: string; kid: string }> {
  const { kid, typ } = splitJws(jws);
  const row = await v.store.userKey(kid, v.now());
  if (!row || row.rpId !== null) throw fault('token.signature', { typ });
  const key = verifyKey(decode(publicJwk, parseJson(row.publicJwk)), kid);
  return { keys: (role, wanted) => (role === 'user' && wanted === kid ? key : undefined), userId: row.userId, kid };
}

/**
 * Opens what a user signed about themselves.
 * @throws Fault token.malformed, token.signature (unknown key, bad signature, another user's key), token.time
 */
export async function openByUser<T extends { sub: string; iat: number; exp: number }>(v: Verifier, kind: SignedKind<T>, token: string): Promise<Verified<T>> {
  const { keys, userId } = await userKeyOf(v, token);
  const opened = open(kind, token, keys);
  if (opened.value.sub !== userId) throw fault('token.signature', { typ: kind.typ });
  assertLive(kind, opened.value, Math.floor(v.now() / 1000));
  return opened;
}

/** An order is obeyed once: an old `thaw` played again after a new `freeze` would undo it, an old `add` would let in another. @throws Fault store.conflict */
export async function spendOrder(v: Verifier, { value }: Verified<UserOrder>): Promise<void> {
  const first = await v.store.consumeNonce({ value: sha256(`ari-order\0${value.sub}\0${value.jti}`), deviceId: value.sub, purpose: 'payment', expiresMs: (value.exp + 60) * 1000 }, v.now());
  if (!first) throw fault('store.conflict', { what: `order ${value.jti}` });
}
