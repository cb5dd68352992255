/**
 * Public keys, as a verifier publishes them at `/.well-known/jwks.json` and as `ari verify` reads them from a file: a JWK Set (RFC 7517) whose keys say
 * for which role they sign and for whom, and the keys of the logs. Whoever trusts a file trusts all of it: it is trust material, never evidence.
 */
import { z } from 'zod';
import { fault } from '../base/fault.js';
import { type VerifyKey, verifyKey } from '../base/jws.js';
import { type Of, parse, record, sha256Text, text } from '../base/shape.js';
import { parseVkey } from '../deposit/note.js';
import { ROLES, type Role } from '../names.js';
import type { KeyFinder } from './signed.js';

/** `ari_sub`: whose key it is. A service's issuer URL (`iss`), a publisher's name (`iss`), a user's id (`sub`). */
export const trustedKey = record({
  kty: z.literal('EC'), crv: z.literal('P-256'), x: sha256Text, y: sha256Text,
  kid: text(128),
  use: z.literal('sig'),
  alg: z.literal('ES256'),
  ariRole: z.enum(Object.keys(ROLES) as [Role, ...Role[]]),
  ariSub: text(2048),
});
export type TrustedKey = Of<typeof trustedKey>;

/** `ari_logs`: vkeys of the deposit logs (c2sp.org/signed-note). */
export const trustFile = record({ keys: z.array(trustedKey).max(4096), ariLogs: z.array(text(512)).max(16) });
export type TrustFile = Of<typeof trustFile>;

/** Trust material, ready for use. */
export interface Trust {
  readonly keys: KeyFinder;
  /** Whose key this is, undefined for one that is not trusted. */
  readonly owner: (kid: string) => string | undefined;
  readonly logs: readonly string[];
}

/** A key's `kid` begins with the prefix of its role, so that one name never stands for two roles. */
const fits = ({ kid, ariRole }: TrustedKey): boolean => kid.startsWith(`${ROLES[ariRole]}-`);

/** @throws Fault config.invalid when two keys share a name, a name is not of its role, or a key is none; deposit.malformed for a log key */
export function trustOf({ keys, ariLogs }: TrustFile): Trust {
  const known = new Map<string, { role: Role; owner: string; key: VerifyKey }>();
  for (const row of keys) {
    if (!fits(row) || known.has(row.kid)) throw fault('config.invalid', { file: 'keys', what: `${row.kid} is not a name of one key of role ${row.ariRole}` });
    known.set(row.kid, { role: row.ariRole, owner: row.ariSub, key: importKey(row) });
  }
  ariLogs.forEach(parseVkey);
  return {
    keys: (role, kid) => { const row = known.get(kid); return row?.role === role ? row.key : undefined; },
    owner: (kid) => known.get(kid)?.owner,
    logs: ariLogs,
  };
}

function importKey({ kty, crv, x, y, kid }: TrustedKey): VerifyKey {
  try {
    return verifyKey({ kty, crv, x, y }, kid);
  } catch {
    throw fault('config.invalid', { file: 'keys', what: `${kid} is not a point of P-256` });
  }
}

/** The text of a keys file. @throws Fault of {@link parse} and {@link trustOf} */
export const parseTrust = (json: string): Trust => trustOf(parse(trustFile, json, 'keys'));
