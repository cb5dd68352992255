/** The verifier's own keys: one file per role in the key folder, made by `ari verifier init`. Splitting a role out moves its file. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromB64u, toB64u } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { parseJson } from '../src/base/json.js';
import { type Signer, signerFromJwk, thumbprint } from '../src/base/jws.js';
import { decode, publicJwk, type PublicJwk, sha256Text } from '../src/base/shape.js';
import { type LogSigner, logSigner } from '../src/deposit/note.js';
import { type Role, ROLES } from '../src/names.js';
import { createSecret, readSecret } from './keyfiles.js';

/** The roles this process plays. */
export const OWN_ROLES = ['verifier', 'carrier', 'settlement', 'consent', 'operator'] as const;
export type OwnRole = (typeof OWN_ROLES)[number];

export interface Keys extends Readonly<Record<OwnRole, Signer>> {
  readonly log: LogSigner;
  /** HMAC key of the nonces, 32 bytes. */
  readonly nonce: Buffer;
}

const privateJwk = publicJwk.extend({ d: sha256Text });
const roleFile = (dir: string, role: OwnRole): string => join(dir, `${role}.jwk`);
const logFile = (dir: string): string => join(dir, 'log.seed');
const nonceFile = (dir: string): string => join(dir, 'nonce.key');

/** The key id of a role's key: the role's prefix and the RFC 7638 thumbprint, so that an id can belong to one key only. */
export const kidOf = (role: Role, jwk: PublicJwk): string => `${ROLES[role]}-${thumbprint(jwk)}`;

const newJwk = (): string => JSON.stringify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }));
const newSecret = (): string => toB64u(randomBytes(32));

/** Makes the keys that are not there yet. */
export function createKeys(dir: string): void {
  for (const role of OWN_ROLES) createSecret(roleFile(dir, role), newJwk);
  createSecret(logFile(dir), newSecret);
  createSecret(nonceFile(dir), newSecret);
}

/**
 * Replaces the key of a role, in one step; the verifier signs with it from its next start on. The old public key stays published: what it signed is checked
 * for as long as anybody keeps it. Its private half is gone.
 */
export function rotateKey(dir: string, role: OwnRole): { before: string; after: string } {
  const before = readRole(dir, role).kid;
  const next = `${roleFile(dir, role)}.next`;
  rmSync(next, { force: true });
  createSecret(next, newJwk);
  renameSync(next, roleFile(dir, role));
  return { before, after: readRole(dir, role).kid };
}

function readRole(dir: string, role: OwnRole): Signer {
  const jwk = decode(privateJwk, parseJson(readSecret(roleFile(dir, role))), `key of role ${role}`);
  return signerFromJwk(jwk, kidOf(role, jwk));
}

function read32(file: string): Buffer {
  const bytes = fromB64u(readSecret(file));
  if (bytes?.length !== 32) throw fault('config.unreadable', { file, what: 'it does not hold 32 bytes in base64url' });
  return bytes;
}

/** @throws Fault config.unreadable when a key is missing or open to others */
export function loadKeys(dir: string, origin: string): Keys {
  const roles = Object.fromEntries(OWN_ROLES.map((role) => [role, readRole(dir, role)])) as Record<OwnRole, Signer>;
  return { ...roles, log: logSigner(origin, read32(logFile(dir))), nonce: read32(nonceFile(dir)) };
}
