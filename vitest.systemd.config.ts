import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** The units under a systemd of their own, in a container. Needs root, mmdebstrap and systemd-container; installs what is missing on Debian. */
export default defineConfig({ ...base, test: { ...base.test, include: ['test/systemd/*.systemd.ts'], testTimeout: 40_000, hookTimeout: 240_000, fileParallelism: false } });
