/** Users and the keys they sign with. Called by the API and the consent service; a key that is revoked is no longer found. */
import { addOnce, type Database } from './database.js';
import type { Store } from './verbs.js';

export const peopleVerbs = (db: Database): Pick<Store, 'addUser' | 'addUserKey' | 'userKey' | 'userKeys'> => ({
  addUser: ({ userId, kind, nowMs }) => db.write((tx) => addOnce(tx, 'users', { user_id: userId }, { kind }, { created_ms: nowMs })),

  addUserKey: ({ keyId, userId, publicJwk }) => db.write((tx) => addOnce(tx, 'user_keys', { key_id: keyId }, { user_id: userId, method: 'jwk', public_key: publicJwk })),

  userKey: (keyId) => db.read(async (tx) => {
    const found = await tx.selectFrom('user_keys').select(['key_id as keyId', 'user_id as userId', 'public_key as publicJwk']).where('key_id', '=', keyId).where('revoked_ms', 'is', null).executeTakeFirst();
    return found ?? null;
  }),

  userKeys: (userId) => db.read((tx) =>
    tx.selectFrom('user_keys').select(['key_id as keyId', 'user_id as userId', 'public_key as publicJwk']).where('user_id', '=', userId).where('revoked_ms', 'is', null).orderBy('key_id').execute()),
});
