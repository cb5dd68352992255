/** Users and the keys they sign with. Called by the API and the consent service; a key that is revoked, or does not speak yet, is not found. */
import { addOnce, type Database, hitOne, type Tx } from './database.js';
import { announce } from './outbox.js';
import { enqueue } from './queue.js';
import type { Store } from './verbs.js';

const allKeys = (tx: Tx) => tx.selectFrom('user_keys').select(['key_id as keyId', 'user_id as userId', 'public_key as publicJwk', 'rp_id as rpId']);
const keysAt = (tx: Tx, atMs: number) => allKeys(tx).where('revoked_ms', 'is', null).where('from_ms', '<=', BigInt(atMs));
const ALWAYS = Number.MAX_SAFE_INTEGER;

/** Every carrier of the user moves: a permit that was judged while the key still spoke is judged again. */
async function revokeUserKey(tx: Tx, { keyId, userId, leaf, outbox, nowMs }: Parameters<Store['revokeUserKey']>[0]): Promise<boolean> {
  const revoked = await tx.updateTable('user_keys').set({ revoked_ms: nowMs }).where('key_id', '=', keyId).where('user_id', '=', userId).where('revoked_ms', 'is', null).executeTakeFirst();
  if (!hitOne(revoked)) return false;
  await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) })).where('user_id', '=', userId).execute();
  await enqueue(tx, leaf, nowMs);
  await announce(tx, outbox);
  return true;
}

type Verbs = 'addUser' | 'addUserKey' | 'revokeUserKey' | 'userKey' | 'userKeys' | 'knownUserKey' | 'countAssertion' | 'userKeyHistory';

export const peopleVerbs = (db: Database): Pick<Store, Verbs> => ({
  addUser: ({ userId, kind, nowMs }) => db.write((tx) => addOnce(tx, 'users', { user_id: userId }, { kind }, { created_ms: nowMs })),

  addUserKey: ({ keyId, userId, publicJwk, rpId = null, fromMs = 0, leaf, nowMs = 0 }) => db.write(async (tx) => {
    await addOnce(tx, 'user_keys', { key_id: keyId }, { user_id: userId, method: rpId === null ? 'jwk' : 'webauthn', public_key: publicJwk, rp_id: rpId }, { from_ms: fromMs });
    if (leaf) await enqueue(tx, leaf, nowMs);
  }),

  revokeUserKey: (key) => db.write((tx) => revokeUserKey(tx, key)),
  userKey: (keyId, atMs = ALWAYS) => db.read(async (tx) => (await keysAt(tx, atMs).where('key_id', '=', keyId).executeTakeFirst()) ?? null),
  userKeys: (userId, atMs = ALWAYS) => db.read((tx) => keysAt(tx, atMs).where('user_id', '=', userId).orderBy('key_id').execute()),

  knownUserKey: (keyId) => db.read(async (tx) => (await allKeys(tx).where('key_id', '=', keyId).executeTakeFirst()) ?? null),

  /** An authenticator that counts nothing says 0 for ever. */
  countAssertion: (keyId, counter) => db.write(async (tx) =>
    hitOne(await tx.updateTable('user_keys').set({ sign_count: counter }).where('key_id', '=', keyId).where('sign_count', counter === 0 ? '=' : '<', BigInt(counter)).executeTakeFirst())),

  userKeyHistory: (userId) => db.read(async (tx) => {
    const rows = await tx.selectFrom('user_keys').select(['key_id', 'from_ms', 'revoked_ms']).where('user_id', '=', userId).orderBy('from_ms').orderBy('key_id').execute();
    return rows.map((row) => ({ keyId: row.key_id, fromMs: Number(row.from_ms), revokedMs: row.revoked_ms === null ? null : Number(row.revoked_ms) }));
  }),
});
