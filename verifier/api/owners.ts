/** Whose a thing is: the users who may see it with their own keys. For everyone else it is not there, as for the thing that does not exist. */
import type { Verifier } from '../context.js';
import { payerOf } from '../submit.js';
import type { Owner } from './route.js';

const named = (userId: unknown): readonly string[] => (typeof userId === 'string' ? [userId] : []);
type Named = { readonly userId: string };

/** A route that shows each user her own and takes no name: any user. */
export const anyUser: Owner<unknown, unknown> = (_, { user }) => named(user);
export const userInPath: Owner<unknown, unknown> = (_, { params }) => named(params['userId']);
export const userInQuery: Owner<Named, unknown> = (_, { query }) => named(query.userId);
export const userInBody: Owner<unknown, Named> = (_, { body }) => named(body.userId);

export const ofCarrier: Owner<unknown, unknown> = async (v, { params: { carrierId = '' } }) => named((await v.store.carrier(carrierId))?.userId);
export const ofMandate: Owner<unknown, unknown> = async (v, { params: { mandateId = '' } }) => named((await v.store.mandate(mandateId))?.userId);
/** The user who enrolled it, and those bound to it. */
export const ofDevice: Owner<unknown, unknown> = (v, { params: { deviceId = '' } }) => v.store.usersOfDevice(deviceId);
export const ofDeviceInQuery: Owner<{ readonly deviceId: string }, unknown> = (v, { query }) => v.store.usersOfDevice(query.deviceId);

export const ofPayment: Owner<unknown, unknown> = async (v: Verifier, { params: { paymentId = '' } }) => {
  const payment = await v.store.payment(paymentId);
  return named(payment && (await payerOf(v, payment)));
};
