/**
 * A user's proof that a request is hers: RFC 9449 (DPoP) in shape, with a registered key in the place of an access token. It opens one request, once, and
 * there is no bearer token to steal. A passkey signs no requests: it opens a session, in which a key that the page made for itself signs them.
 */
import { z } from 'zod';
import { digest, sha256 } from '../base/bytes.js';
import type { Signer } from '../base/jws.js';
import { type Of, id, publicJwk, record, seconds, sha256Text, stringify, text, url } from '../base/shape.js';
import { seal, signedKind } from './signed.js';
import { userKid } from './userkey.js';

/** The scheme of the `Authorization` header that carries it. */
export const PROOF_SCHEME = 'Ari-Proof';
/** Longest life of a proof, s. */
export const PROOF_LIFE_S = 60;

/** `htm`, `htu`: method and URL, unlike RFC 9449 with its query, which names whose things are asked for; `bodySha256` of the bytes of the body, null without one. */
export const requestProof = record({ sub: id('usr'), jti: text(64), iat: seconds, exp: seconds, htm: z.enum(['GET', 'POST']), htu: url, bodySha256: sha256Text.nullable() });
export type RequestProof = Of<typeof requestProof>;
export const REQUEST_PROOF = signedKind('ari-request+jwt', 'user', requestProof);

/** What is asked; `body`: its bytes exactly as they are sent. */
export interface ProvenRequest { readonly sub: string; readonly method: 'GET' | 'POST'; readonly url: string; readonly body?: string | undefined }

/** The `Authorization` header of a request. `jti` is new for each; `iat` in seconds. */
export function proofOf({ sub, method, url: htu, body }: ProvenRequest, { jti, iat }: { jti: string; iat: number }, signer: Signer): string {
  return `${PROOF_SCHEME} ${seal(REQUEST_PROOF, { sub, jti, iat, exp: iat + PROOF_LIFE_S, htm: method, htu, bodySha256: body === undefined ? null : sha256(body) }, signer)}`;
}

/** The header that carries a session beside the proof. */
export const SESSION_HEADER = 'ari-session';
/** Longest life of a session, s. */
export const SESSION_LIFE_S = 900;

/** What a passkey consents to: until `exp`, requests proven with `jwk` are hers. Whoever steals the session without that key has nothing. */
export const sessionTerms = record({ jti: text(64), sub: id('usr'), iat: seconds, exp: seconds, jwk: publicJwk });
export type SessionTerms = Of<typeof sessionTerms>;
/** What the passkey signs for a session: SHA-256("ari-session-1" 0x00 JCS(terms)). No consent to a payment can be taken for it. */
export const sessionChallenge = (terms: SessionTerms): Buffer => digest('ari-session-1', '\0', stringify(sessionTerms, terms));

/** The terms, taken by the consent service. `kid`: the passkey; the session ends with it. */
export const session = record({ iss: url, kid: userKid, terms: sessionTerms });
export const SESSION = signedKind('ari-session+jwt', 'consent', session);
