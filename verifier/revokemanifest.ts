/**
 * The end of an agent version: by an order of its publisher, or by the operator. After the answer no payment by it is permitted, whichever user authorised
 * it; devices that run it know within the second. Mandates that name it are revoked with it, and none is taken any more.
 */
import { splitJws } from '../src/base/jws.js';
import { fault } from '../src/base/fault.js';
import type { Sha256 } from '../src/base/bytes.js';
import { parseJson } from '../src/base/json.js';
import { decode } from '../src/base/shape.js';
import { AGENT_MANIFEST, MANIFEST_ORDER } from '../src/objects/manifest.js';
import { assertLive, open, SIGNED_BYTES } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';

/** Who published a manifest. It was verified before it was stored, with a key that may be trusted no more. @throws Fault intake.not_found */
async function publisherOf(v: Verifier, manifestSha256: Sha256): Promise<string> {
  const row = await v.store.manifest(manifestSha256);
  if (row === null) throw fault('intake.not_found', { what: `manifest ${manifestSha256}` });
  return decode(AGENT_MANIFEST.shape, parseJson(splitJws(row.token).payload, { bytes: SIGNED_BYTES })).iss;
}

/** Once is for ever: an order that is played again changes nothing, and its leaf stands once. @throws Fault intake.not_found */
async function revoke(v: Verifier, manifestSha256: Sha256, said: { eventId: string; subject: Sha256 }): Promise<void> {
  const draft = leafDraft(v, { kind: 'revoked', chain: manifestSha256, code: 'manifest.revoked', subject: said.subject });
  const news = (await v.store.devicesRunning(manifestSha256)).reduce((all, deviceId) => all.tell(deviceId, 'revoked', { subject: manifestSha256, state: 'revoked' }).refresh(deviceId), v.outbox.news());
  const revoked = await v.store.revokeManifest({ manifestSha256, leaf: { eventId: said.eventId, draft }, outbox: news.rows, nowMs: v.now() });
  if (!revoked) throw fault('intake.not_found', { what: `manifest ${manifestSha256}` });
  v.log.soon();
  await news.told();
}

export const revokeByOperator = (v: Verifier, manifestSha256: Sha256): Promise<void> => revoke(v, manifestSha256, { eventId: freshId(v, 'evt'), subject: manifestSha256 });

/**
 * With any trusted key of the publisher that signed the manifest. @returns the manifest that it names
 * @throws Fault token.malformed, token.signature (no trusted publisher, or another one), token.time; intake.not_found
 */
export async function revokeByPublisher(v: Verifier, token: string): Promise<Sha256> {
  const { value, signer, sha256 } = open(MANIFEST_ORDER, token, v.trust.keys);
  const { iss, iat, manifestSha256 } = value;
  assertLive(MANIFEST_ORDER, value, Math.floor(v.now() / 1000));
  if (v.trust.publisherOf(signer.kid) !== iss || (await publisherOf(v, manifestSha256)) !== iss) throw fault('token.signature', { typ: MANIFEST_ORDER.typ });
  await revoke(v, manifestSha256, { eventId: orderEvent(sha256, iat), subject: sha256 });
  return manifestSha256;
}
