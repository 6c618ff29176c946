import { defineConfig } from "vitest/config";

export default defineConfig({
  // One file after the other: each starts a whole system, and two of them would wait for each other's processor time.
  test: { globalSetup: ["@rialto/testing/postgres"], testTimeout: 30_000, hookTimeout: 60_000, fileParallelism: false },
});
