import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { globalSetup: ["test/support/postgres-setup.ts"], testTimeout: 30_000, hookTimeout: 60_000 },
});
