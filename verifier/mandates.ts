/** What a device may pay with, as it is told: the mandates for the keys that its agents hold, their carriers, and the keys of the users who signed them. */
import { Fault } from '../src/base/fault.js';
import { parseJson } from '../src/base/json.js';
import { thumbprint } from '../src/base/jws.js';
import { decode, publicJwk } from '../src/base/shape.js';
import type { LinkBody } from '../src/link.js';
import type { Verifier } from './context.js';
import { openUserMandate } from './inputs.js';
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

/** Whether one of these keys is the one that the mandate names: a cleared TPM takes the agents' keys with it, and what names them cannot be paid with any more. */
async function isFor(v: Verifier, keys: ReadonlySet<string>, { token }: MandateRow): Promise<boolean> {
  try {
    return keys.has(thumbprint((await openUserMandate(v, token)).mandate.value.cnf.jwk));
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

const keysOf = async (v: Verifier, userId: string): Promise<Body['userKeys']> => (await v.store.userKeys(userId, v.now())).map((row) => recordOf(v, row));

export async function mandatesBody(v: Verifier, deviceId: string): Promise<Body> {
  const agentKeys = new Set((await v.store.deviceAgents(deviceId)).map(({ jwk }) => thumbprint(decode(publicJwk, parseJson(jwk)))));
  const live = (await v.store.mandatesOfDevice(deviceId)).filter(({ expMs }) => expMs > v.now());
  const rows = (await Promise.all(live.map(async (row) => ((await isFor(v, agentKeys, row)) ? [row] : [])))).flat();
  const users = [...new Set(rows.map(({ userId }) => userId))];
  const [mandates, userKeys] = await Promise.all([Promise.all(rows.map((row) => toldOf(v, row))), Promise.all(users.map((userId) => keysOf(v, userId)))]);
  return { mandates: mandates.flat(), userKeys: userKeys.flat() };
}
