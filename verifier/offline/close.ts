/**
 * The end of offline allowances. A value of the counter between the one that an allowance began at and the one that the device came back with belongs to a
 * payment, or to none: only a payment that is brought tells. For each that is missing the most that one payment may be stays held until the time to bring it
 * is over, because a payee may have been promised it; everything else goes back at once.
 */
import { OFFLINE_ALLOWANCE } from '../../src/objects/allowance.js';
import { open, tokenHash } from '../../src/objects/signed.js';
import type { Verifier } from '../context.js';
import { allowanceEvent } from '../events.js';
import { leafDraft } from '../leaves.js';
import type { AllowanceRow } from '../store/verbs.js';

/** The device says that it has brought all it had. */
export async function returnAllowances(v: Verifier, deviceId: string): Promise<void> {
  await v.store.stopAllowances(deviceId);
  for (const row of await v.store.stoppedAllowances(deviceId)) await close(v, row, missing(row));
  v.log.soon();
}

/** What nobody has brought in time goes back. */
export async function endOverdue(v: Verifier): Promise<void> {
  const rows = await v.store.overdueAllowances(v.now());
  for (const row of rows) await close(v, row, 0n);
  if (rows.length > 0) v.log.soon();
}

/** Values of the counter that belong to no payment that was brought. Of an allowance whose device never came back nothing is known. */
const missing = ({ ctrEnd, ctrBase, counted }: AllowanceRow): bigint => (ctrEnd === null ? 0n : ctrEnd - ctrBase - 1n - BigInt(counted));

/** @param awaited payments that may still be brought */
function close(v: Verifier, row: AllowanceRow, awaited: bigint): Promise<void> {
  const { carrierId, mandateSha256, perPaymentMax, maxCount } = open(OFFLINE_ALLOWANCE, row.token, v.trust.keys).value;
  const draft = leafDraft(v, { kind: 'allowance_closed', chain: carrierId, code: missing(row) > 0n ? 'ctr.gap' : null, mandate: mandateSha256, subject: tokenHash(row.token) });
  const count = awaited < BigInt(maxCount) ? Number(awaited) : maxCount;
  return v.store.closeAllowance({ allowanceId: row.allowanceId, keep: { count, total: BigInt(count) * perPaymentMax }, leaf: { eventId: allowanceEvent(row.allowanceId, 'closed'), draft }, nowMs: v.now() });
}
