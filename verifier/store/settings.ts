/** Policies and public keys: written once under their name, never changed, kept for as long as bundles live. */
import { addOnce, type Database } from './database.js';
import type { Store } from './verbs.js';

export const settingsVerbs = (db: Database): Pick<Store, 'putPolicy' | 'policy' | 'newestPolicy' | 'putKey' | 'keys'> => ({
  putPolicy: ({ policySha256, id, version, stage, token }) => db.write((tx) => addOnce(tx, 'policies', { policy_sha256: policySha256 }, { id, version, stage, token })),

  policy: (policySha256) => db.read(async (tx) => {
    const found = await tx.selectFrom('policies').select('token').where('policy_sha256', '=', policySha256).executeTakeFirst();
    return found?.token ?? null;
  }),

  newestPolicy: () => db.read(async (tx) => {
    const found = await tx.selectFrom('policies').select('token').orderBy('version', 'desc').orderBy('policy_sha256').limit(1).executeTakeFirst();
    return found?.token ?? null;
  }),

  putKey: ({ kid, role, jwk, fromMs }) => db.write((tx) => addOnce(tx, 'public_keys', { kid }, { role, jwk }, { from_ms: fromMs })),

  keys: () => db.read(async (tx) => {
    const rows = await tx.selectFrom('public_keys').selectAll().orderBy('from_ms').orderBy('kid').execute();
    return rows.map((row) => ({ kid: row.kid, role: row.role, jwk: row.jwk, retiredMs: row.retired_ms === null ? null : Number(row.retired_ms) }));
  }),
});
