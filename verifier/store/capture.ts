/** The end of a reservation: captured, released, or both. It happens once, for the carrier, the mandate's slot and the ledger together. */
import type { Selectable } from 'kysely';
import { fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';
import type { PaymentState } from '../../src/names.js';
import { hitOne, moved, type Tx } from './database.js';
import { availableOf, openAccounts, payeeOf, reservedOf, transfer } from './ledger.js';
import type { Tables } from './tables.js';

type Payment = Selectable<Tables['payments']>;
type Reservation = Selectable<Tables['reservations']>;

/** @throws Fault intake.not_found */
export async function findPayment(tx: Tx, paymentId: string): Promise<Payment> {
  const payment = await tx.selectFrom('payments').selectAll().where('payment_id', '=', paymentId).executeTakeFirst();
  if (!payment) throw fault('intake.not_found', { what: `payment ${paymentId}` });
  return payment;
}

/**
 * Moves a payment on from the version that was read. The version is the lock of a permitted payment: releasing its token, redeeming and expiring each move
 * it, so that of two at the same moment only one goes on.
 * @throws Refused (retry)
 */
export async function movePayment(tx: Tx, { payment_id, version }: Payment, state: PaymentState, code: Code | null = null): Promise<void> {
  const written = await tx.updateTable('payments').set({ state, code, version: version + 1n }).where('payment_id', '=', payment_id).where('version', '=', version).executeTakeFirst();
  if (!hitOne(written)) throw moved();
}

/** @throws Fault intake.not_found */
export async function findReservation(tx: Tx, paymentId: string): Promise<Reservation> {
  const reservation = await tx.selectFrom('reservations').selectAll().where('payment_id', '=', paymentId).executeTakeFirst();
  if (!reservation) throw fault('intake.not_found', { what: `reservation of payment ${paymentId}` });
  return reservation;
}

export const isOpen = ({ captured, released }: Reservation): boolean => captured === 0n && released === 0n;

/**
 * Ends a reservation: `captured` goes to the payee, the rest back to the carrier.
 * @throws Refused (retry) when it was ended before
 */
export async function endReservation(tx: Tx, reservation: Reservation, end: { eventId: string; captured: bigint; payeeAccount: string; slot: 'used' | 'freed' }, nowMs: number): Promise<void> {
  const { reservation_id, carrier_id, payment_id, amount } = reservation;
  const { captured } = end;
  const { currency } = await tx.updateTable('carriers').set((eb) => ({ reserved: eb('reserved', '-', amount), spent: eb('spent', '+', captured), state_seq: eb('state_seq', '+', 1n) }))
    .where('carrier_id', '=', carrier_id).returning('currency').executeTakeFirstOrThrow();
  await tx.updateTable('mandate_uses').set({ state: end.slot }).where('payment_id', '=', payment_id).where('state', '=', 'held').execute();
  const ended = await tx.updateTable('reservations').set({ captured, released: amount - captured })
    .where('reservation_id', '=', reservation_id).where('captured', '=', 0n).where('released', '=', 0n).executeTakeFirst();
  if (!hitOne(ended)) throw moved();
  const [held, payee] = [reservedOf(carrier_id, currency), payeeOf(end.payeeAccount, currency)];
  if (captured > 0n) await openAccounts(tx, [payee]);
  await transfer(tx, end.eventId, [{ from: held, to: payee, amount: captured }, { from: held, to: availableOf(carrier_id, currency), amount: amount - captured }], nowMs);
}
