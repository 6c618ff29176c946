import { defineConfig } from "vitest/config";

export default defineConfig({
  // A busy machine makes everything late, and a test waits for what it asserts: these end only what would never come.
  // Two files at a time, whatever the machine has: each starts a whole system, which waits more than it works.
  test: {
    globalSetup: ["@rialto/testing/postgres"],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 2,
  },
});
