/** The store's promises, on embedded SQLite. Another database runs the same suites. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { openStore } from '../../verifier/store/store.js';
import type { SqlRow, TestDatabase } from './store/bench.js';
import { crashSuite } from './store/crash.suite.js';
import { decideSuite } from './store/decide.suite.js';
import { delegationSuite } from './store/delegation.suite.js';
import { depositSuite } from './store/deposit.suite.js';
import { enrolmentSuite } from './store/enrolment.suite.js';
import { freshnessSuite } from './store/freshness.suite.js';
import { raceSuite } from './store/race.suite.js';
import { schemaSuite } from './store/schema.suite.js';
import { settlementSuite } from './store/settlement.suite.js';

async function sqlite(): Promise<TestDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'ari-store-'));
  const place = { path: join(dir, 'verifier.db') };
  const store = await openStore(place);
  await store.close();
  const below = new Libsql(place.path);
  below.defaultSafeIntegers(true);
  below.exec('PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON');
  return {
    name: 'sqlite', place,
    open: () => openStore(place),
    sql: (text) => below.prepare(text).all() as SqlRow[],
    dispose: async () => { below.close(); await rm(dir, { recursive: true }); },
  };
}

for (const suite of [schemaSuite, enrolmentSuite, freshnessSuite, delegationSuite, decideSuite, settlementSuite, depositSuite, raceSuite, crashSuite]) suite(sqlite);
