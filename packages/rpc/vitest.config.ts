import { configDefaults, defineConfig } from "vitest/config";

/** Counts what a call makes, timers among it: in a process where nothing else was before. */
const counts = "test/call-counts.test.ts";

export default defineConfig({
  // A busy machine makes everything late, and a test waits for what it asserts: these end only what would never come.
  test: {
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      // No module keeps state, and to load all of them for each file anew took a third of the time.
      { extends: true, test: { name: "rpc", isolate: false, exclude: [...configDefaults.exclude, counts] } },
      { extends: true, test: { name: "counts", include: [counts] } },
    ],
  },
});
