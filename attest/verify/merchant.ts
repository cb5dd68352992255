/** The cut of an attestation result that a payee may see. */
import type { Ear } from '../../src/objects/ear.js';
import type { MerchantEar } from '../../src/objects/merchant.js';

/** Its life is that of the whole result: a cut is never fresher than what it was cut from. */
export function merchantCut({ eatProfile, iss, iat, exp, earVerifierId, earStatus, cnf, submods, ariBinding }: Ear, { aud, jti }: { aud: string; jti: string }): MerchantEar {
  const { platform, agent } = submods;
  return {
    eatProfile, iss, aud, jti, iat, exp, earVerifierId, earStatus, cnf,
    submods: {
      platform: { earStatus: platform.earStatus, ariPlatform: { tier: platform.ariPlatform.tier, simulated: platform.ariPlatform.simulated } },
      agent: { earStatus: agent.earStatus, ariAgent: { agentId: agent.ariAgent.agentId, version: agent.ariAgent.version } },
    },
    ariBinding: { paymentSha256: ariBinding.paymentSha256, closedSha256: ariBinding.closedSha256, nonce: ariBinding.nonce },
  };
}
