import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Where `npm start` keeps what V8 compiled. */
const compiled = fileURLToPath(new URL("../../node_modules/.cache/rialto-compiled", import.meta.url));

export default defineConfig({
  // A busy machine makes everything late, and a test waits for what it asserts: these end only what would never come.
  // Four files at a time, whatever the machine has: each starts a whole system, which waits more than it works.
  test: {
    globalSetup: ["@rialto/testing/postgres"],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 4,
    // Of the processes that tests start, hundreds of them: 0.9 s of CPU each.
    env: { NODE_COMPILE_CACHE: compiled },
  },
});
