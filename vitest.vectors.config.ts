import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** Foreign data only, from `ARI_VECTORS` or `../shared/vectors` beside the project. */
export default defineConfig({ ...base, test: { ...base.test, reporters: ['default', './test/vectors/table.ts'], include: ['test/vectors/**/*.test.ts'], exclude: ['node_modules/**', 'dist/**'] } });
