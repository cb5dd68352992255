/**
 * An attestation result cut for one payee: that this payment comes from an agent that its user authorised, on a device that was proven, and how well.
 * Nothing in it names the device, its keys or its maker, so that two payees cannot tell that it is the same one. Same profile and type as {@link EAR}.
 */
import { z } from 'zod';
import { type Of, name, record, seconds, sha256Text, text, url } from '../base/shape.js';
import { EAR_STATUSES, TIERS } from '../names.js';
import { EAR_PROFILE } from './ear.js';
import { signedKind } from './signed.js';

const earStatus = z.enum(EAR_STATUSES);

export const merchantEar = record({
  eatProfile: z.literal(EAR_PROFILE),
  iss: url,
  aud: url,
  jti: text(64),
  iat: seconds,
  exp: seconds,
  earVerifierId: record({ developer: url, build: text() }),
  earStatus,
  cnf: record({ jkt: sha256Text }),
  submods: record({
    platform: record({ earStatus, ariPlatform: record({ tier: z.enum(TIERS), simulated: z.boolean() }) }),
    agent: record({ earStatus, ariAgent: record({ agentId: name(), version: name(64) }) }),
  }),
  ariBinding: record({ paymentSha256: sha256Text, closedSha256: sha256Text, nonce: sha256Text }),
});
export type MerchantEar = Of<typeof merchantEar>;
export const MERCHANT_EAR = signedKind('eat+jwt', 'verifier', merchantEar);
