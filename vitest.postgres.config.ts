import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What the default run shows on embedded SQLite, on a PostgreSQL server of the tests' own: the store's promises, then whole payments, crashes and two processes on one database. */
const SERVICE = ['payment', 'offline', 'recovery', 'watch', 'enrol', 'statuses'].map((name) => `test/verifier/${name}.test.ts`);

export default defineConfig({
  ...base,
  test: {
    ...base.test, include: ['test/verifier/*.postgres.ts', ...SERVICE], globalSetup: './test/support/postgres/setup.ts', setupFiles: './test/support/postgres/database.ts',
    testTimeout: 60_000, hookTimeout: 120_000,
  },
});
