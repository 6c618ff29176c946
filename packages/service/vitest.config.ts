import { defineConfig } from "vitest/config";

export default defineConfig({
  // A busy machine makes everything late, and a test waits for what it asserts: these end only what would never come.
  test: {
    // No module keeps state, and to load all of them for each file anew took a third of the time.
    isolate: false,
    globalSetup: ["@rialto/testing/postgres"],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
