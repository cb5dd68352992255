/** The evidence of a bundle, appraised again from nothing but the bundle: without the verifier's memory of the device, which judged clocks and histories. */
import type { PaymentInput, PaymentResult } from '../types.js';
import { appraisePayment } from '../verify/index.js';

export interface Recorded extends Pick<PaymentInput, 'evidence' | 'manifest' | 'policy'>, Required<Pick<PaymentInput, 'earlier' | 'earlierIma'>> { readonly record: PaymentInput['device']['record']; readonly offline: boolean }

/** The binding's own values are expected here: that they are those of the objects is said by the edges of the binding. */
export function reappraise({ record, offline, ...recorded }: Recorded): PaymentResult {
  const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt, ctr } = recorded.evidence.payment.binding;
  return appraisePayment({
    ...recorded,
    expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt, ...(offline && ctr !== null && { ctr }) },
    device: { record, state: 'enrolled', clock: null, head: null, latest: null },
    platform: null,
  });
}
