import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/helpers/without-proxies.ts'],
    // Temporal's native bridge does not survive worker threads; a fork per file does.
    pool: 'forks',
    // Whoever runs the tests may be logged in to the Hub.
    env: { HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: more forks only make the real servers slower.
    maxWorkers: 2,
  },
});
