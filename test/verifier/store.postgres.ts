/** The store's promises, on a PostgreSQL server: the suites of store.test.ts, and what is particular to this database. */
import { afterAll, beforeAll, inject } from 'vitest';
import type { MakeDatabase } from './store/bench.js';
import { Postgres } from './store/postgres.js';
import { SUITES } from './store/suites.js';

let postgres: Postgres;
beforeAll(async () => { postgres = await Postgres.on(inject('postgres')); });
afterAll(() => postgres.close());

const make: MakeDatabase = () => postgres.make();
for (const suite of SUITES) suite(make);
