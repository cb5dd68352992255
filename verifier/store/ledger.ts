/**
 * Double entry. A transfer is one row with both sides, so the sum over all accounts is zero by construction; its event id makes it happen once. Every
 * account but the outside world stays at or above zero, decided by the database. Accounts are moved in ascending order of their id: no two transfers deadlock.
 */
import type { Transaction } from 'kysely';
import { hitOne, moved, type Tx } from './database.js';
import type { Tables } from './tables.js';

export interface Account { readonly id: string; readonly kind: Tables['accounts']['kind']; readonly currency: string }
export interface Leg { readonly from: Account; readonly to: Account; readonly amount: bigint }

/** Where money comes from and, once refunds leave, goes to: the only account that may be below zero. */
export const outside = (currency: string): Account => ({ id: `external:${currency}`, kind: 'external', currency });
/** The user's main account. Never named to an agent. */
export const mainOf = (userId: string, currency: string): Account => ({ id: `main:${userId}:${currency}`, kind: 'main', currency });
export const availableOf = (carrierId: string, currency: string): Account => ({ id: `available:${carrierId}`, kind: 'available', currency });
export const reservedOf = (carrierId: string, currency: string): Account => ({ id: `reserved:${carrierId}`, kind: 'reserved', currency });
export const payeeOf = (account: string, currency: string): Account => ({ id: `payee:${currency}:${account}`, kind: 'payee', currency });

/** Opens accounts that are not there yet. */
export async function openAccounts(tx: Tx, accounts: Account[]): Promise<void> {
  const rows = accounts.map(({ id, kind, currency }) => ({ account_id: id, kind, currency })).sort((a, b) => (a.account_id < b.account_id ? -1 : 1));
  await tx.insertInto('accounts').values(rows).onConflict((c) => c.doNothing()).execute();
}

function netOf(legs: Leg[]): [Account, bigint][] {
  const net = new Map<string, [Account, bigint]>();
  for (const { from, to, amount } of legs) {
    for (const [account, change] of [[from, -amount], [to, amount]] as const) net.set(account.id, [account, (net.get(account.id)?.[1] ?? 0n) + change]);
  }
  return [...net.values()].filter(([, change]) => change !== 0n).sort(([a], [b]) => (a.id < b.id ? -1 : 1));
}

async function change(tx: Transaction<Tables>, { id, currency }: Account, amount: bigint): Promise<void> {
  const written = await tx.updateTable('accounts').set((eb) => ({ balance: eb('balance', '+', amount) }))
    .where('account_id', '=', id).where('currency', '=', currency)
    .where((eb) => eb.or([eb('kind', '=', 'external'), eb(eb('balance', '+', amount), '>=', 0n)])).executeTakeFirst();
  if (!hitOne(written)) throw moved();
}

/**
 * Moves money along the legs; legs of nothing are left out. All accounts must be open.
 * @returns false when this event has moved money before
 * @throws Refused (retry) when an account does not hold enough
 */
export async function transfer(tx: Tx, eventId: string, legs: Leg[], nowMs: number): Promise<boolean> {
  const real = legs.filter((leg) => leg.amount !== 0n);
  const rows = real.map(({ from, to, amount }, leg) => ({ event_id: eventId, leg, debit: from.id, credit: to.id, amount, created_ms: nowMs }));
  const { numInsertedOrUpdatedRows } = await tx.insertInto('transfers').values(rows).onConflict((c) => c.doNothing()).executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows !== BigInt(real.length)) return false;
  for (const [account, amount] of netOf(real)) await change(tx, account, amount);
  return true;
}
