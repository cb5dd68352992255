/**
 * Freeze, thaw, revoke. The row that is written here is the row that a permit must hold in its own transaction (decide.ts), so after the answer nothing
 * more is permitted. Revoked and expired are for ever.
 */
import type { CarrierState, MandateState } from '../../src/names.js';
import { hitOne, type Tx } from './database.js';
import { announce } from './outbox.js';
import { enqueue } from './queue.js';
import { writeStatus } from './statuses.js';
import type { DeviceRow, Store } from './verbs.js';

type StateInput = Parameters<Store['setState']>[0];

/** For each state, the states from which it may be reached. */
const CARRIER_MOVES: Partial<Record<string, CarrierState[]>> = { active: ['frozen'], frozen: ['active'], revoked: ['active', 'frozen'], expired: ['active', 'frozen'] };
const MANDATE_MOVES: Partial<Record<string, MandateState[]>> = { valid: ['suspended'], suspended: ['valid'], revoked: ['valid', 'suspended'], expired: ['valid', 'suspended'] };
const DEVICE_MOVES: Partial<Record<string, DeviceRow['state'][]>> = { enrolled: ['suspended'], suspended: ['enrolled'], revoked: ['enrolled', 'suspended'] };

async function moveCarrier(tx: Tx, { subject, state }: StateInput): Promise<boolean> {
  const from = CARRIER_MOVES[state];
  if (!from) return false;
  return hitOne(await tx.updateTable('carriers').set((eb) => ({ state: state as CarrierState, state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', subject).where('state', 'in', from).executeTakeFirst());
}

/** The carrier is written first, as a permit does it: two that take the same rows in the same order do not deadlock. */
async function moveMandate(tx: Tx, { subject, state }: StateInput): Promise<boolean> {
  const from = MANDATE_MOVES[state];
  if (!from) return false;
  await tx.updateTable('carriers').set((eb) => ({ state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', 'in', (eb) => eb.selectFrom('mandates').select('carrier_id').where('mandate_id', '=', subject)).execute();
  return hitOne(await tx.updateTable('mandates').set({ state: state as MandateState }).where('mandate_id', '=', subject).where('state', 'in', from).executeTakeFirst());
}

async function moveDevice(tx: Tx, { subject, state }: StateInput): Promise<boolean> {
  const from = DEVICE_MOVES[state];
  if (!from) return false;
  return hitOne(await tx.updateTable('devices').set({ state: state as DeviceRow['state'] }).where('device_id', '=', subject).where('state', 'in', from).executeTakeFirst());
}

const SUBJECTS = {
  carrier: { move: moveCarrier, state: (tx: Tx, id: string) => tx.selectFrom('carriers').select('state').where('carrier_id', '=', id) },
  mandate: { move: moveMandate, state: (tx: Tx, id: string) => tx.selectFrom('mandates').select('state').where('mandate_id', '=', id) },
  device: { move: moveDevice, state: (tx: Tx, id: string) => tx.selectFrom('devices').select('state').where('device_id', '=', id) },
};

/** @returns whether the subject is in that state now. Its leaf is queued when it moved; to be there already is no event. */
export async function setState(tx: Tx, input: StateInput): Promise<boolean> {
  const subject = SUBJECTS[input.kind];
  if (!(await subject.move(tx, input))) return (await subject.state(tx, input.subject).executeTakeFirst())?.state === input.state;
  await writeStatus(tx, input.subject, input.state, input.nowMs);
  await enqueue(tx, input.leaf, input.nowMs);
  await announce(tx, input.outbox);
  return true;
}
