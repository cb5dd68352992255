/** The voucher of an offline payment: what of its proof a payee needs, and nothing of what was measured. */
import { stringify } from '../../src/base/shape.js';
import { type Voucher, voucher } from '../../src/objects/allowance.js';
import type { Payment } from './book.js';

/** What the agent hands to the payee. Null for a payment that was made online. */
export function voucherOf({ intent, proof, offline }: Payment): string | null {
  const { register, counter, binding, batch } = proof?.evidence ?? {};
  if (!proof || !offline || !register || !counter || !binding || !batch) return null;
  const value: Voucher = { v: 'ari-voucher-1', intent, allowance: offline.allowance, device: offline.device, closedMandate: proof.closedMandate, binding, batch, register, counter };
  return stringify(voucher, value);
}
