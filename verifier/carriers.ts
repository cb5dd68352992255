/** The carrier issuer: opens and revises carriers as their users asked, and signs what holds. */
import { fault } from '../src/base/fault.js';
import { CARRIER, type Carrier, CARRIER_REQUEST, type CarrierRequest, rulesHash } from '../src/objects/carrier.js';
import { seal, tokenHash } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';
import { pushMandates } from './mandates.js';
import { payingFrom } from './orders.js';
import { openByUser } from './users.js';

/**
 * Opens (rev 1) or revises (the next rev) a carrier. Every revision is signed by its user, whether it is tighter or looser.
 * @returns the carrier, signed. @throws Fault of {@link openByUser}; store.conflict for a revision that does not follow
 */
export async function issueCarrier(v: Verifier, token: string): Promise<string> {
  const request = await openByUser(v, CARRIER_REQUEST, token);
  const { jti, sub, rev, currency, rules, iat } = request.value;
  const before = await v.store.carrier(jti);
  if (before && before.userId !== sub) throw fault('store.conflict', { what: `carrier ${jti}` });
  const carrier = seal(CARRIER, carrierOf(v, request.value), v.keys.carrier);
  await v.store.putCarrier({
    carrierId: jti, userId: sub, currency, rev, totalMax: rules.totalMax, rulesSha256: rulesHash(rules), token: carrier, userSignature: token,
    leaf: { eventId: orderEvent(request.sha256, iat), draft: leafDraft(v, { kind: 'rules_changed', chain: jti, carrier: tokenHash(carrier), subject: request.sha256 }) }, nowMs: v.now(),
  });
  for (const deviceId of await payingFrom(v, jti)) await pushMandates(v, deviceId);
  return carrier;
}

/** The carrier lives as long as its rules say. */
function carrierOf(v: Verifier, { jti, sub, rev, currency, rules, agents }: CarrierRequest): Carrier {
  const iat = Math.floor(v.now() / 1000);
  return { iss: v.config.issuers.carrier, jti, sub, iat, nbf: rules.notBefore, exp: rules.notAfter, rev, currency, rules, agents, state: 'active' };
}
