/** The carrier issuer: opens and revises carriers as their users asked, and signs what holds. */
import { fault } from '../src/base/fault.js';
import { looser } from '../src/law/index.js';
import { CARRIER, type Carrier, CARRIER_REQUEST, rulesHash } from '../src/objects/carrier.js';
import { open, seal, tokenHash } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';
import { statusOf } from './statuses.js';
import { openByUser } from './users.js';

/**
 * Opens (rev 1) or revises (the next rev) a carrier, as its user signed it; tighter or looser.
 * @returns the carrier, signed. @throws Fault of {@link openByUser}; store.conflict for a revision that does not follow
 */
export async function issueCarrier(v: Verifier, token: string): Promise<string> {
  const { value, sha256 } = await openByUser(v, CARRIER_REQUEST, token);
  const before = await v.store.carrier(value.jti);
  if (before && before.userId !== value.sub) throw fault('store.conflict', { what: `carrier ${value.jti}` });
  return put(v, value, { userSignature: token, eventId: orderEvent(sha256, value.iat), subject: sha256 });
}

/**
 * Revises a carrier at the issuer's own word: only to rules that are tighter in every respect. Mandates that were signed for the rules before pay on,
 * within the new ones.
 * @throws Fault intake.not_found, carrier.looser, store.conflict
 */
export async function tightenCarrier(v: Verifier, carrierId: string, { rules, agents }: Pick<Carrier, 'rules' | 'agents'>): Promise<string> {
  const row = await v.store.carrier(carrierId);
  if (!row) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
  const { value: before } = open(CARRIER, row.token, v.trust.keys);
  const loosened = looser({ rules, agents, currency: before.currency }, before);
  if (loosened.length > 0) throw fault('carrier.looser', { rules: loosened.join(', ') });
  return put(v, { jti: carrierId, sub: row.userId, rev: row.rev + 1, currency: row.currency, rules, agents }, { userSignature: null, eventId: freshId(v, 'evt'), subject: null });
}

type Wanted = Pick<Carrier, 'jti' | 'sub' | 'rev' | 'currency' | 'rules' | 'agents'>;
interface Said { readonly userSignature: string | null; readonly eventId: string; readonly subject: string | null }

async function put(v: Verifier, wanted: Wanted, { userSignature, eventId, subject }: Said): Promise<string> {
  const { jti, sub, rev, currency, rules } = wanted;
  const carrier = seal(CARRIER, { ...carrierOf(v, wanted), status: await statusOf(v, 'carrier', jti) }, v.keys.carrier);
  const news = (await v.store.devicesPaying(jti)).reduce((all, deviceId) => all.refresh(deviceId), v.outbox.news());
  await v.store.putCarrier({
    carrierId: jti, userId: sub, currency, rev, totalMax: rules.totalMax, rulesSha256: rulesHash(rules), token: carrier, userSignature,
    leaf: { eventId, draft: leafDraft(v, { kind: 'rules_changed', chain: jti, carrier: tokenHash(carrier), subject }) }, outbox: news.rows, nowMs: v.now(),
  });
  v.log.soon();
  await news.told();
  return carrier;
}

/** The carrier lives as long as its rules say. */
function carrierOf(v: Verifier, { jti, sub, rev, currency, rules, agents }: Wanted): Carrier {
  const iat = Math.floor(v.now() / 1000);
  return { iss: v.config.issuers.carrier, jti, sub, iat, nbf: rules.notBefore, exp: rules.notAfter, rev, currency, rules, agents, state: 'active' };
}
