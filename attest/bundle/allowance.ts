/** Edges of a payment that was made offline: under which allowance, and that it fits it. A voucher has the same edges. */
import { thumbprint } from '../../src/base/jws.js';
import { tokenHash } from '../../src/objects/signed.js';
import { type OfflineAllowance, offlineNonce } from '../../src/objects/allowance.js';
import type { ClosedPayment } from '../../src/objects/mandate.js';
import type { Binding } from '../../src/objects/evidence.js';
import type { Intent } from '../../src/objects/intent.js';
import { claim, claimSame } from './claim.js';
import type { Facts } from './facts.js';

/** The issuer gave the allowance for this mandate and carrier, on this device, to this agent's key; and it ends before they do. */
export function allowanceMandate({ allowance, mandate, mandateSha256, carrier, device }: Facts): void {
  const { value } = allowance();
  const { mandate: { value: { jti, exp } } } = mandate();
  claimSame({
    'the mandate': [value.mandateId, jti], 'the hash of the mandate': [value.mandateSha256, mandateSha256], 'the carrier': [value.carrierId, carrier().value.jti],
    'its revision': [value.carrierRev, carrier().value.rev], 'the currency': [value.currency, carrier().value.currency], 'the device': [value.deviceId, device().value.deviceId],
  }, 'offline.other');
  claim(value.exp <= exp && value.exp <= carrier().value.exp, 'the allowance outlives its mandate or carrier', 'offline.other');
}

/** Payee and amount are among those of the allowance, and it was alive by the clock of the device. */
export function allowanceIntent({ allowance, bundle: { intent }, closed }: Facts): void {
  assertWithin(allowance().value, intent, closed().closed);
}

/** The TPM signed with this allowance's own nonce for this value of the counter, under the keys that it names. */
export function bindingAllowance({ allowance, evidence }: Facts): void {
  assertCountedFor(allowance().value, evidence().payment.binding, evidence().akName);
}

export function assertWithin({ payees, perPaymentMax, currency, iat, exp }: OfflineAllowance, { payee, amount, bound, captureUntil }: Intent, { iat: madeS }: ClosedPayment): void {
  claim(payees.some(({ id, origin }) => id === payee.id && origin === payee.origin), 'the payee is not among those of the allowance', 'offline.payee');
  claim(amount.currency === currency && amount.amount > 0n && amount.amount <= perPaymentMax, 'the amount is over the limit for one payment', 'offline.per_payment');
  claim(bound === 'exact' && captureUntil === null, 'it is not an exact amount, paid at once', 'offline.bound');
  claim(iat <= madeS + 5 && madeS < exp, 'the allowance was not alive when the payment was made', 'offline.expired');
}

export function assertCountedFor({ jti, akName, cnf, ctrBase, maxCount }: OfflineAllowance, { ctr, nonce, jkt }: Binding, signer: string): void {
  claim(ctr !== null, 'the binding names no counter', 'ctr.missing');
  claimSame({ 'the nonce': [nonce, offlineNonce(jti, ctr)] }, 'binding.mismatch');
  claimSame({ 'the attestation key': [signer, akName], 'the key of the agent': [jkt, thumbprint(cnf.jwk)] }, 'offline.other');
  claim(ctr > ctrBase, 'the counter is not above the one that the allowance begins at', 'ctr.not_increased');
  claim(ctr - ctrBase <= BigInt(maxCount), 'the counter says that more payments were made than the allowance is for', 'offline.count');
}

/** `allowance_sha256` of a decision; nothing for a payment made online. */
export const allowanceHash = (token: string | undefined): { allowanceSha256?: string } => (token === undefined ? {} : { allowanceSha256: tokenHash(token) });
