/** Terms that their payee has signed, with a key that it publishes at `/.well-known/ucp` (`signing_keys` up to 2026-04-08, `keys` after it). */
import { verify } from 'node:crypto';
import { fault } from '../base/fault.js';
import { verifyKey } from '../base/jws.js';
import { decode, publicJwk } from '../base/shape.js';
import { type Members, objectsAt, readObject } from './members.js';
import type { Seal } from './terms.js';

export const PROFILE_PATH = '/.well-known/ucp';

/** @param profile as the payee's origin served it @throws Fault terms.unsigned */
export function assertSealed({ kid, signed, signature }: Seal, profile: Uint8Array): void {
  const said = readObject(profile, 'UCP profile', { fractions: true });
  const keys = [...objectsAt(said, 'signing_keys', 'UCP profile'), ...objectsAt(said, 'keys', 'UCP profile')].filter((key) => key['kid'] === kid);
  const [key] = keys;
  if (key === undefined || keys.length > 1) throw fault('terms.unsigned', { what: `the payee publishes ${keys.length} keys of this name` });
  if (!verify('sha256', Buffer.from(signed), { key: keyOf(key), dsaEncoding: 'ieee-p1363' }, signature)) throw fault('terms.unsigned', { what: 'the signature of the payee is wrong' });
}

const keyOf = ({ kty, crv, x, y }: Members) => verifyKey(decode(publicJwk, { kty, crv, x, y }, 'key of the payee')).key;
