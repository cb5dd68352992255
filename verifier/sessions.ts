/** Sessions of users who have passkeys: opened by an assertion, kept by nobody here, ended with the passkey. */
import { fault } from '../src/base/fault.js';
import { verifyKey } from '../src/base/jws.js';
import { parseJson } from '../src/base/json.js';
import { decode, publicJwk } from '../src/base/shape.js';
import { type UserAssertion, verifyAssertion } from '../src/objects/assertion.js';
import { REQUEST_PROOF, type RequestProof, SESSION, SESSION_LIFE_S, sessionChallenge, type SessionTerms } from '../src/objects/request.js';
import { assertLive, type KeyFinder, open, seal, type Verified } from '../src/objects/signed.js';

import type { Verifier } from './context.js';
import { kidOf } from './keys.js';
import { assertingKey } from './submit.js';

const nowS = (v: Verifier): number => Math.floor(v.now() / 1000);

/** @returns the session, signed. @throws Fault confirm.signature, confirm.assertion, token.time */
export async function openSession(v: Verifier, terms: SessionTerms, assertion: UserAssertion): Promise<string> {
  const { row, origins } = await assertingKey(v, terms.sub, assertion);
  const counter = verifyAssertion(assertion, verifyKey(decode(publicJwk, parseJson(row.publicJwk)), row.keyId), sessionChallenge(terms), origins);
  assertLive(SESSION, terms, nowS(v));
  if (terms.exp - terms.iat > SESSION_LIFE_S) throw fault('token.time', { typ: SESSION.typ });
  if (!(await v.store.countAssertion(row.keyId, counter))) throw fault('confirm.assertion', { what: 'its counter did not rise: the passkey was copied' });
  return seal(SESSION, { iss: v.config.issuers.verifier, kid: row.keyId, terms }, v.keys.consent);
}

/** A proof by the key of a session whose passkey still speaks. @throws Fault token.* */
export async function proofIn(v: Verifier, token: string, proof: string): Promise<Verified<RequestProof>> {
  const { kid, terms } = open(SESSION, token, v.trust.keys).value;
  assertLive(SESSION, terms, nowS(v), 0);
  const row = await v.store.userKey(kid, v.now());
  const own = kidOf('user', terms.jwk);
  const keys: KeyFinder = (role, wanted) => (role === 'user' && wanted === own ? verifyKey(terms.jwk, own) : undefined);
  const opened = open(REQUEST_PROOF, proof, keys);
  if (row?.userId !== terms.sub || opened.value.sub !== terms.sub) throw fault('token.signature', { typ: SESSION.typ });
  assertLive(REQUEST_PROOF, opened.value, nowS(v));
  return opened;
}
