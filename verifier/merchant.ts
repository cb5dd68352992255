/** What a payee learns of a payment's proof: the cut of the attestation result, for the origin that is paid and for whoever holds the closed mandate. */
import { merchantCut } from '../attest/verify/merchant.js';
import { fault } from '../src/base/fault.js';
import { parse } from '../src/base/shape.js';
import { EAR } from '../src/objects/ear.js';
import { intent } from '../src/objects/intent.js';
import { MERCHANT_EAR } from '../src/objects/merchant.js';
import { assertLive, open, seal } from '../src/objects/signed.js';
import { freshId, type Verifier } from './context.js';

export interface MerchantQuestion { readonly paymentId: string; readonly aud: string; readonly closedSha256: string }

/**
 * One answer for all that is not to be told: no such payment, none permitted, another payee, another closed mandate.
 * @throws Fault intake.not_found; token.time once the result is over: it speaks of the moment of payment
 */
export async function merchantEarOf(v: Verifier, { paymentId, aud, closedSha256 }: MerchantQuestion): Promise<string> {
  const payment = await v.store.payment(paymentId);
  const permitted = payment && (await v.store.attempts(paymentId)).find(({ decisionKind }) => decisionKind === 'permit');
  const unknown = fault('intake.not_found', { what: `attestation result of ${paymentId} for ${aud}` });
  if (!permitted || parse(intent, payment.intent).payee.origin !== aud) throw unknown;
  const { value } = open(EAR, permitted.ear, v.trust.keys);
  if (value.ariBinding.closedSha256 !== closedSha256) throw unknown;
  assertLive(EAR, value, Math.floor(v.now() / 1000), 0);
  return seal(MERCHANT_EAR, merchantCut(value, { aud, jti: freshId(v, 'evt') }), v.keys.verifier);
}
