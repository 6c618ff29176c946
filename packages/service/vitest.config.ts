import { configDefaults, defineConfig } from "vitest/config";

/** Has a module replaced, which works only where none was loaded before. */
const replaced = "test/run-services.test.ts";

export default defineConfig({
  // A busy machine makes everything late, and a test waits for what it asserts: these end only what would never come.
  test: {
    globalSetup: ["@rialto/testing/postgres"],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      // No module keeps state, and to load all of them for each file anew took a third of the time.
      { extends: true, test: { name: "service", isolate: false, exclude: [...configDefaults.exclude, replaced] } },
      { extends: true, test: { name: "replaced", include: [replaced] } },
    ],
  },
});
