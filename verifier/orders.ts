/** What a user orders about what is theirs: freeze, thaw, revoke. After the answer nothing is permitted against it; connected devices know within the second. */
import { fault } from '../src/base/fault.js';
import { USER_ORDER, type UserOrder } from '../src/objects/carrier.js';
import type { Verifier } from './context.js';
import { dispute } from './disputes.js';
import { orderEvent } from './events.js';
import { leafDraft } from './leaves.js';
import type { News } from './news.js';
import { revokeKeyByUser } from './userkeys.js';
import { openByUser, spendOrder } from './users.js';

type Kind = 'carrier' | 'mandate' | 'device';
const KINDS: Record<string, Kind> = { crr: 'carrier', mnd: 'mandate', dev: 'device' };
const STATES: Record<Kind, Partial<Record<UserOrder['action'], string>>> = {
  carrier: { freeze: 'frozen', thaw: 'active', revoke: 'revoked' },
  mandate: { freeze: 'suspended', thaw: 'valid', revoke: 'revoked' },
  device: { freeze: 'suspended', thaw: 'enrolled', revoke: 'revoked' },
};

/** The owner of a subject and the devices it concerns. */
async function standingOf(v: Verifier, kind: Kind, subject: string): Promise<{ userId: string | null; chain: string; devices: string[] } | null> {
  if (kind === 'device') {
    const device = await v.store.deviceById(subject);
    return device && { userId: device.userId, chain: subject, devices: [subject] };
  }
  if (kind === 'mandate') {
    const mandate = await v.store.mandate(subject);
    return mandate && { userId: mandate.userId, chain: mandate.carrierId, devices: [mandate.deviceId] };
  }
  const carrier = await v.store.carrier(subject);
  return carrier && { userId: carrier.userId, chain: subject, devices: await v.store.devicesPaying(subject) };
}

/** @throws Fault of {@link openByUser}; intake.not_found for what is not this user's; store.conflict when it was obeyed before or cannot be reached from the present state */
export async function obey(v: Verifier, token: string): Promise<{ subject: string; state: string }> {
  const order = await openByUser(v, USER_ORDER, token);
  const { subject, action, sub, iat } = order.value;
  if (subject.startsWith('k-') && action === 'revoke') return revokeKeyByUser(v, order);
  const kind = KINDS[subject.slice(0, 3)];
  const state = kind && STATES[kind][action];
  if (kind === undefined || state === undefined) return dispute(v, order);
  const standing = await standingOf(v, kind, subject);
  if (standing?.userId !== sub) throw fault('intake.not_found', { what: subject });
  await spendOrder(v, order);
  const draft = leafDraft(v, { kind: action === 'thaw' ? 'rules_changed' : 'revoked', chain: standing.chain, subject: order.sha256 });
  const news = newsOf(v, standing.devices, subject, state);
  const moved = await v.store.setState({ subject, kind, state, leaf: { eventId: orderEvent(order.sha256, iat), draft }, outbox: news.rows, nowMs: v.now() });
  if (!moved) throw fault('store.conflict', { what: `a state of ${subject} that does not lead to ${state}` });
  v.log.soon();
  await news.told();
  return { subject, state };
}

const newsOf = (v: Verifier, devices: string[], subject: string, state: string): News =>
  devices.reduce((news, deviceId) => news.tell(deviceId, 'revoked', { subject, state }).refresh(deviceId), v.outbox.news());
