/** Key files of people: a user's key signs mandates and confirmations, a publisher's key signs manifests. Private JWKs, mode 0600. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fault } from '../src/base/fault.js';
import { parseJson } from '../src/base/json.js';
import { type Signer, signerFromJwk, thumbprint } from '../src/base/jws.js';
import { decode, publicJwk, type PublicJwk, sha256Text } from '../src/base/shape.js';
import { ROLES } from '../src/names.js';

type Person = 'user' | 'publisher';
const privateJwk = publicJwk.extend({ d: sha256Text });

/** Writes a new P-256 key. @throws Fault usage.wrong when the file exists */
export function createKey(file: string, role: Person): Signer {
  if (existsSync(file)) throw fault('usage.wrong', { what: `${file} exists already` });
  const { kty, crv, x, y, d } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  writeFileSync(file, `${JSON.stringify({ kty, crv, x, y, d })}\n`, { mode: 0o600, flag: 'wx' });
  return loadKey(file, role);
}

/** @throws Fault config.unreadable, intake.* */
export function loadKey(file: string, role: Person): Signer {
  const jwk = decode(privateJwk, parseJson(readFile(file)), 'key file');
  return signerFromJwk(jwk, `${ROLES[role]}-${thumbprint(jwk)}`);
}

/** The public half of a key file, be it private or public. @throws Fault config.unreadable, intake.* */
export function loadPublic(file: string): PublicJwk {
  const { d: _, ...jwk } = decode(publicJwk.extend({ d: sha256Text.optional() }), parseJson(readFile(file)), 'key file');
  return jwk;
}

export const loadOrCreateKey = (file: string, role: Person): Signer => (existsSync(file) ? loadKey(file, role) : createKey(file, role));

export function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}
