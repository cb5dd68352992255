/**
 * Whose key it is that signed as a user: said by the consent service, and carried by whatever needs it. A bundle is checked offline with the records in it,
 * so no list of users and their keys is published anywhere.
 */
import { z } from 'zod';
import { fault } from '../base/fault.js';
import { type VerifyKey, verifyKey } from '../base/jws.js';
import { id, publicJwk, record, seconds, url } from '../base/shape.js';
import { ROLES } from '../names.js';
import { open, signedKind } from './signed.js';
import type { Trust } from './trust.js';

/** The name of a user's key. */
export const userKid = z.string().max(128).regex(new RegExp(`^${ROLES.user}-[A-Za-z0-9_-]+$`), "must be the name of a user's key");

/** `kid` is the key's RFC 7638 thumbprint behind the prefix of its role; `sub` whose it is. */
export const userKey = record({ iss: url, iat: seconds, sub: id('usr'), kid: userKid, jwk: publicJwk });
export const USER_KEY = signedKind('ari-user-key+jwt', 'consent', userKey);

/**
 * Trust that also knows the users' keys of these records. A key that the reader has pinned stays as it was pinned.
 * @throws Fault token.* for a record that no trusted consent service signed in its own name
 */
export function withUserKeys(trust: Trust, records: readonly string[]): Trust {
  const known = new Map<string, { readonly key: VerifyKey; readonly owner: string }>();
  for (const token of records) {
    const { value: { iss, sub, kid, jwk }, signer } = open(USER_KEY, token, trust.keys);
    if (trust.owner(signer.kid) !== iss) throw fault('token.signature', { typ: USER_KEY.typ });
    known.set(kid, { key: verifyKey(jwk, kid), owner: sub });
  }
  return {
    ...trust,
    keys: (role, kid) => trust.keys(role, kid) ?? (role === 'user' ? known.get(kid)?.key : undefined),
    owner: (kid) => trust.owner(kid) ?? known.get(kid)?.owner,
  };
}
