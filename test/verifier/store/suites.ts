/** The promises of the store, the same on every database. */
import { crashSuite } from './crash.suite.js';
import { decideSuite } from './decide.suite.js';
import { delegationSuite } from './delegation.suite.js';
import { depositSuite } from './deposit.suite.js';
import { enrolmentSuite } from './enrolment.suite.js';
import { freshnessSuite } from './freshness.suite.js';
import { offlineSuite } from './offline.suite.js';
import { raceSuite } from './race.suite.js';
import { schemaSuite } from './schema.suite.js';
import { watchSuite } from './watch.suite.js';
import { settlementSuite } from './settlement.suite.js';

export const SUITES = [schemaSuite, enrolmentSuite, freshnessSuite, delegationSuite, decideSuite, settlementSuite, depositSuite, watchSuite, offlineSuite, raceSuite, crashSuite];
