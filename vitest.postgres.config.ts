import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What the default run shows on embedded SQLite, on a PostgreSQL server of the tests' own. */
export default defineConfig({ ...base, test: { ...base.test, include: ['test/**/*.postgres.ts'], globalSetup: './test/support/postgres/setup.ts', testTimeout: 60_000, hookTimeout: 120_000 } });
