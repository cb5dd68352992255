import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** Every bit and every length of valid evidence, some ten thousands of forgeries. Prints how many were refused with which code. */
export default defineConfig({ ...base, test: { ...base.test, include: ['test/attest/regression/*.mutation.ts'], testTimeout: 600_000 } });
