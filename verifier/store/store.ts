/**
 * The verifier's store: verbs, never tables. Each verb is one transaction (expireReservations is one for each reservation), durable when it returns.
 *
 * Who may call what: enrolment and devices - the link; freshness and decide - the appraisal and decision service; delegation - carrier issuer and consent
 * service; tokens and expiry - the carrier issuer; redemptions - settlement; sequence - the deposit log. Nobody else writes.
 *
 * Order of locks, the same in every verb, so that none waits for another in a circle on a database with row locks: offline allowance, nonce, device, payment, redemption,
 * carrier, mandate, slot, reservation, accounts by id, log queue. SQLite has one write lock, taken at the beginning.
 *
 * A payment that the carrier's own ledger settles is four commits: decide (nonce, device, reservation, queued leaf: what was judged is what is paid), sequence
 * (the permit's leaf under a checkpoint: no token before it), releaseToken with its redemption (token, money, receipt, queued leaf), sequence (the result's
 * leaf, for the bundle). Where a provider moves the money, releaseToken commits that the redemption began, before the provider is asked, and
 * finishRedemption what it answered: what began and has no end after a crash is asked for, never paid again. Payments at one moment share their sequencing.
 *
 * What depends on the database stands in one file for each (sqlite.ts, postgres.ts); the schema and every verb are the same on all.
 */
import { sql } from 'kysely';
import type { Database } from './database.js';
import { delegationVerbs } from './delegation.js';
import { depositVerbs } from './deposit.js';
import { deviceVerbs } from './devices.js';
import { enrolmentVerbs } from './enrolment.js';
import { freshnessVerbs } from './freshness.js';
import { manifestVerbs } from './manifests.js';
import { migrate } from './migrate.js';
import { offlineVerbs } from './offline.js';
import { outboxVerbs } from './outbox.js';
import { paymentVerbs } from './payments.js';
import { peopleVerbs } from './people.js';
import { refundVerbs } from './refunds.js';
import { settingsVerbs } from './settings.js';
import { settlementVerbs } from './settlement.js';
import { statusVerbs } from './statuses.js';
import { openPostgres } from './postgres.js';
import { openSqlite } from './sqlite.js';
import { watchVerbs } from './watch.js';
import type { Store } from './verbs.js';

const ledgerSum = (db: Database): Promise<bigint> => db.read(async (tx) =>
  (await tx.selectFrom('accounts').select(sql<bigint>`cast(coalesce(sum(balance), 0) as bigint)`.as('sum')).executeTakeFirstOrThrow()).sum);

const verbsOf = (db: Database): Store => ({
  migrate: () => migrate(db),
  close: () => db.close(),
  ...peopleVerbs(db), ...enrolmentVerbs(db), ...deviceVerbs(db), ...freshnessVerbs(db), ...manifestVerbs(db), ...delegationVerbs(db),
  ...paymentVerbs(db), ...offlineVerbs(db), ...settlementVerbs(db), ...refundVerbs(db), ...depositVerbs(db), ...settingsVerbs(db), ...statusVerbs(db), ...outboxVerbs(db), ...watchVerbs(db),
  ledgerSum: () => ledgerSum(db),
});

/** A file of this machine, made when it is not there, or a database of a PostgreSQL server. */
export type StorePlace = { readonly path: string } | { readonly url: string };

/**
 * Opens the store and brings it to the newest schema.
 * @throws Fault config.unreadable, config.invalid, store.unavailable
 */
export async function openStore(place: StorePlace): Promise<Store> {
  const store = verbsOf('url' in place ? openPostgres(place.url) : openSqlite(place.path));
  try {
    await store.migrate();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
