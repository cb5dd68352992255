/** What a device may pay with, as it is told: its mandates, their carriers, and the keys of the users who signed them. */
import type { LinkBody } from '../src/link.js';
import type { Verifier } from './context.js';
import type { MandateRow } from './store/verbs.js';
import { recordOf } from './userkeys.js';

type Body = LinkBody<'mandates'>;
type Told = Body['mandates'][number];

async function toldOf(v: Verifier, row: MandateRow): Promise<Told[]> {
  const carrier = await v.store.carrier(row.carrierId);
  if (!carrier || (row.state !== 'valid' && row.state !== 'suspended')) return [];
  const usable = row.state === 'valid' && carrier.state === 'active';
  return carrier.state === 'revoked' || carrier.state === 'expired' ? [] : [{ mandate: row.token, carrier: carrier.token, state: usable ? 'valid' : 'suspended' }];
}

const keysOf = async (v: Verifier, userId: string): Promise<Body['userKeys']> => (await v.store.userKeys(userId, v.now())).map((row) => recordOf(v, row));

export async function mandatesBody(v: Verifier, deviceId: string): Promise<Body> {
  const rows = (await v.store.mandatesOfDevice(deviceId)).filter(({ expMs }) => expMs > v.now());
  const users = [...new Set(rows.map(({ userId }) => userId))];
  const [mandates, userKeys] = await Promise.all([Promise.all(rows.map((row) => toldOf(v, row))), Promise.all(users.map((userId) => keysOf(v, userId)))]);
  return { mandates: mandates.flat(), userKeys: userKeys.flat() };
}
