/** Who asks: a user proves each request with her own key. What she may see and do with it is said by the route (api/owners.ts). */
import { asFault, fault } from '../src/base/fault.js';
import { sha256 } from '../src/base/bytes.js';
import { PROOF_LIFE_S, PROOF_SCHEME, REQUEST_PROOF, type RequestProof } from '../src/objects/request.js';
import type { Verified } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { proofIn } from './sessions.js';
import { openByUser } from './users.js';

/**
 * A request as it came; `url` is its path with its query, `session` that of a passkey. `here`: the addresses of this machine alone at which it came, none when
 * it came from elsewhere. The `Host` header is not looked at: whoever was given a proof for himself would write it to fit.
 */
export interface Request { readonly method: string; readonly url: string; readonly here: readonly string[]; readonly authorization: string | undefined; readonly session: string | undefined }
/** `bodySha256` is what the proof says of the body; whoever reads the body compares it. */
export interface Caller { readonly userId: string; readonly bodySha256: string | null }

const refuse = (what: string) => fault('intake.unauthorised', { what });

/** The user who proves this request; null when it carries no proof. @throws Fault intake.unauthorised, intake.pace */
export async function callerOf(v: Verifier, request: Request): Promise<Caller | null> {
  const [scheme, token, ...more] = (request.authorization ?? '').split(' ');
  if (scheme !== PROOF_SCHEME || token === undefined || more.length > 0) return null;
  const opening = request.session === undefined ? openByUser(v, REQUEST_PROOF, token) : proofIn(v, request.session, token);
  const proof = await opening.catch((error: unknown) => { throw refuse(asFault(error).message); });
  if (!isOf(v, proof.value, request)) throw refuse('the proof is for another request');
  v.pace.assertSlow(proof.value.sub, v.now());
  await spend(v, proof);
  return { userId: proof.value.sub, bodySha256: proof.value.bodySha256 };
}

/** The user proved it to this verifier: at the address that is its name, or on its own machine. */
function isOf({ config: { issuers } }: Verifier, { htm, htu, iat, exp }: RequestProof, { method, url, here }: Request): boolean {
  const target = URL.canParse(htu) ? new URL(htu) : null;
  const ours = target !== null && [new URL(issuers.verifier).origin, ...here].includes(target.origin);
  return ours && htm === method && `${target.pathname}${target.search}` === url && exp - iat <= PROOF_LIFE_S;
}

/** Whoever copies a proof from a log or a proxy has nothing: it was used. */
async function spend(v: Verifier, { value: { sub, jti, exp } }: Verified<RequestProof>): Promise<void> {
  const first = await v.store.consumeNonce({ value: sha256(`ari-request\0${sub}\0${jti}`), deviceId: sub, purpose: 'payment', expiresMs: (exp + 60) * 1000 }, v.now());
  if (!first) throw refuse('the proof was used before');
}
