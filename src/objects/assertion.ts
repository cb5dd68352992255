/**
 * A passkey's consent. A passkey cannot sign a JWT: it signs a challenge, and the challenge is the hash of the terms. The assertion travels beside the
 * token that the consent service signs over the same terms, and is verified again by whoever reads them (Web Authentication Level 3, section 7.2).
 */
import { verify } from 'node:crypto';
import { digest, equal, fromB64u } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { type Json, parseJson } from '../base/json.js';
import type { VerifyKey } from '../base/jws.js';
import { type Of, b64u, record, stringify, text } from '../base/shape.js';
import { type Confirmation, confirmation } from './decision.js';

/** `kid`: the registered passkey. The rest is what the authenticator and the browser gave, byte for byte; `signature` is DER. */
export const userAssertion = record({ kid: text(128), rpId: text(253), clientData: b64u(4096), authenticatorData: b64u(1024), signature: b64u(128) });
export type UserAssertion = Of<typeof userAssertion>;

/** What the passkey signs for a confirmation: SHA-256("ari-consent-1" 0x00 JCS(terms)). */
export const consentChallenge = (terms: Confirmation): Buffer => digest('ari-consent-1', '\0', stringify(confirmation, terms));

const FLAGS = { present: 0x01, verified: 0x04, backupEligible: 0x08, backedUp: 0x10, credential: 0x40, extensions: 0x80 };
/** SHA-256 of the RP id, flags, 32 bits of counter. */
const AUTHENTICATOR_BYTES = 37;

const refuse = (what: string) => fault('confirm.assertion', { what });
function holds(condition: boolean, what: string): asserts condition {
  if (!condition) throw refuse(what);
}

const bytesOf = (value: string): Buffer => {
  const bytes = fromB64u(value);
  holds(bytes !== null, 'it is not canonical base64url');
  return bytes;
};

/** The host of an origin is the RP id or lies below it. Only this machine may do without TLS. */
function isOriginOf(origin: string, rpId: string): boolean {
  const [, scheme, host = ''] = /^(https?):\/\/([a-z0-9.-]+)(?::\d{1,5})?$/.exec(origin) ?? [];
  return (scheme === 'https' || (scheme === 'http' && host === 'localhost')) && (host === rpId || host.endsWith(`.${rpId}`));
}

/** `origins`: the pages that may ask, when they are known; offline any page of the RP id. */
function checkClient(bytes: Buffer, rpId: string, challenge: Uint8Array, origins?: readonly string[]): void {
  const client = parseJson(bytes) as Record<string, Json> | null;
  holds(typeof client === 'object' && client !== null && !Array.isArray(client), 'the client data is no object');
  const { type, challenge: said, origin, crossOrigin, topOrigin } = client;
  holds(type === 'webauthn.get', 'it is not made for signing in');
  holds(typeof said === 'string' && equal(bytesOf(said), challenge), 'it is for other terms');
  holds(crossOrigin !== true && topOrigin === undefined, 'it was made inside a foreign page');
  holds(typeof origin === 'string' && isOriginOf(origin, rpId) && (origins === undefined || origins.includes(origin)), 'it was made for another page');
}

/** @returns the signature counter. A user who was only present, and not verified, has not consented. */
function checkAuthenticator(data: Buffer, rpId: string): number {
  holds(data.length >= AUTHENTICATOR_BYTES && equal(data.subarray(0, 32), digest(rpId)), 'it is for another relying party');
  const has = (flag: keyof typeof FLAGS): boolean => ((data[32] ?? 0) & FLAGS[flag]) !== 0;
  holds(has('present') && has('verified'), 'the user was not verified');
  holds(!has('credential') && (has('backupEligible') || !has('backedUp')), 'its flags contradict each other');
  holds(has('extensions') === (data.length > AUTHENTICATOR_BYTES), 'its length is wrong');
  return data.readUInt32BE(33);
}

/**
 * Verifies an ES256 assertion over a challenge. Whose key it is, is for the caller.
 * @returns the authenticator's signature counter; 0 when it keeps none
 * @throws Fault confirm.assertion, or a strict JSON fault of the client data
 */
export function verifyAssertion({ rpId, clientData, authenticatorData, signature }: UserAssertion, key: VerifyKey, challenge: Uint8Array, origins?: readonly string[]): number {
  const [client, authenticator] = [bytesOf(clientData), bytesOf(authenticatorData)];
  checkClient(client, rpId, challenge, origins);
  const counter = checkAuthenticator(authenticator, rpId);
  holds(verify('sha256', Buffer.concat([authenticator, digest(client)]), { key: key.key, dsaEncoding: 'der' }, bytesOf(signature)), 'its signature is wrong');
  return counter;
}
