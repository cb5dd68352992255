import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@ari-sidecar\/tpm2$/, replacement: fileURLToPath(new URL('./tpm2/src/index.ts', import.meta.url)) },
      { find: /^@ari-sidecar\/tpm2\/swtpm$/, replacement: fileURLToPath(new URL('./tpm2/test/support/swtpm.ts', import.meta.url)) },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'tpm2/test/**/*.test.ts'],
    exclude: ['test/vectors/**', 'node_modules/**', 'dist/**'],
    globalSetup: './test/support/setup.ts',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
