/**
 * The end of offline allowances. A value of the counter between the one that an allowance began at and the one that the device came back with belongs to a
 * payment, or to none: only a payment that was brought tells. While one is missing, what is left is kept for whoever may still bring it.
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
  for (const row of await v.store.stoppedAllowances(deviceId)) await close(v, row, missing(row) === 0n);
  v.log.soon();
}

/** What nobody has brought in time goes back. */
export async function endOverdue(v: Verifier): Promise<void> {
  const rows = await v.store.overdueAllowances(v.now());
  for (const row of rows) await close(v, row, true);
  if (rows.length > 0) v.log.soon();
}

/** Values of the counter that belong to no payment that was brought. Of an allowance whose device never came back nothing is known. */
const missing = ({ ctrEnd, ctrBase, counted }: AllowanceRow): bigint => (ctrEnd === null ? 0n : ctrEnd - ctrBase - 1n - BigInt(counted));

function close(v: Verifier, row: AllowanceRow, end: boolean): Promise<void> {
  const { carrierId, mandateSha256 } = open(OFFLINE_ALLOWANCE, row.token, v.trust.keys).value;
  const draft = leafDraft(v, { kind: 'allowance_closed', chain: carrierId, code: missing(row) > 0n ? 'ctr.gap' : null, mandate: mandateSha256, subject: tokenHash(row.token) });
  return v.store.closeAllowance({ allowanceId: row.allowanceId, end, leaf: { eventId: allowanceEvent(row.allowanceId, 'closed'), draft }, nowMs: v.now() });
}
