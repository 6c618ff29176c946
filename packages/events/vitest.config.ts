import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { globalSetup: ["@rialto/testing/postgres"], testTimeout: 40_000, hookTimeout: 60_000 },
});
