/** Who may have mandates on a device besides the user who enrolled it: whoever brings a one-time code of her own and that user's order. */
import { sha256 } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { USER_ORDER } from '../src/objects/carrier.js';
import type { Verifier } from './context.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';
import { openByUser, spendOrder } from './users.js';

/**
 * Binds the user of the code to the device. The code says who comes, the order that the device's own user lets her; it lets in one.
 * @throws Fault of {@link openByUser}; intake.not_found (not this user's device), intake.malformed (another order), enrol.code, store.conflict (an order that was obeyed before)
 */
export async function bindUser(v: Verifier, deviceId: string, code: string, order: string): Promise<string> {
  const opened = await openByUser(v, USER_ORDER, order);
  const { value, sha256: orderSha256 } = opened;
  const device = await v.store.deviceById(deviceId);
  if (device?.userId !== value.sub || device.state !== 'enrolled') throw fault('intake.not_found', { what: `device ${deviceId}` });
  if (value.action !== 'add' || value.subject !== deviceId) throw fault('intake.malformed', { what: 'order: it does not add a user to this device' });
  if (!(await v.store.enrolCode(sha256(code), v.now()))) throw fault('enrol.code');
  await spendOrder(v, opened);
  const comes = await v.store.useEnrolCode(sha256(code), v.now());
  if (!comes) throw fault('enrol.code');
  const leaf = { eventId: orderEvent(orderSha256, value.iat), draft: leafDraft(v, { kind: 'rules_changed', chain: deviceId, subject: orderSha256 }) };
  await v.store.bindUser({ deviceId, userId: comes.userId, leaf, nowMs: v.now() });
  v.log.soon();
  return comes.userId;
}
