/** Where money leaves a carrier and where it comes back: one port per kind of settlement. */
import type { Money } from '../src/money.js';
import type { Payee } from '../src/objects/intent.js';

/**
 * `id` is the idempotency key at the rail: the `jti` of the execution token for a payment, the refund's id for a refund, in which the payee's account
 * gives back what it was paid.
 */
export interface RailOrder { readonly kind: 'payment' | 'refund'; readonly id: string; readonly paymentId: string; readonly amount: Money; readonly payee: Payee; readonly account: string }
export type RailAnswer =
  | { readonly outcome: 'settled'; readonly reference: string | null }
  | { readonly outcome: 'declined' }
  | { readonly outcome: 'unknown' };

/**
 * `pay` is called at most once for an order; after a crash or a lost answer only `query` is. Neither throws for what the rail said: whatever it throws
 * is taken as `unknown`. A rail that never heard of an order answers `declined` to `query`, and must then refuse it for ever.
 */
export interface Rail {
  readonly name: string;
  /** True when no money moves outside this database: then a redemption has nothing to begin before it ends, and both are one transaction. */
  readonly within: boolean;
  pay(order: RailOrder): Promise<RailAnswer>;
  query(order: RailOrder): Promise<RailAnswer>;
}

/** The carrier's own ledger: the store moves the money in the transaction that keeps the receipt, so there is nothing to wait for or to lose. */
export const ledgerRail: Rail = {
  name: 'ledger',
  within: true,
  pay: () => Promise.resolve({ outcome: 'settled', reference: null }),
  query: () => Promise.resolve({ outcome: 'settled', reference: null }),
};
