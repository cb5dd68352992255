import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** kill -9 at each arrow of a payment, with real processes, one after the other. Prints the table. */
export default defineConfig({ ...base, test: { ...base.test, include: ['test/crash/*.crash.ts'], testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false } });
