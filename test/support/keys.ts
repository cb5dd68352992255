/** Fixed keys for tests, one per role: P-256 scalars made from their names. Worthless outside of tests. */
import { createECDH, createHash } from 'node:crypto';
import { type Signer, signerFromJwk, verifyKey } from '../../src/base/jws.js';
import { ROLES, type Role } from '../../src/names.js';
import type { KeyFinder } from '../../src/objects/signed.js';

/** A signer whose key follows from its name. */
export function testSigner(name: string, kid?: string): Signer {
  const d = createHash('sha256').update(`ari-test-key ${name}`).digest();
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(d);
  const point = ecdh.getPublicKey();
  return signerFromJwk({ kty: 'EC', crv: 'P-256', d: d.toString('base64url'), x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') }, kid);
}

/** One signer per role, with the `kid` prefix of its role. */
export const SIGNERS = Object.fromEntries(Object.entries(ROLES).map(([role, prefix]) => [role, testSigner(role, `${prefix}-test`)])) as Record<Role, Signer>;
/** K_a: the agent's payment key. */
export const AGENT = testSigner('agent');
/** Someone whom nobody trusts. */
export const STRANGER = testSigner('stranger');

const KEYS = new Map(Object.entries(SIGNERS).map(([role, signer]) => [`${role} ${signer.kid}`, verifyKey(signer.jwk, signer.kid)]));
/** Trusts the signers above, each in its role only. */
export const keys: KeyFinder = (role, kid) => KEYS.get(`${role} ${kid}`);
