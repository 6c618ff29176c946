import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import type { TestProject } from "vitest/node";
import { quietLog } from "./quiet-log.ts";

declare module "vitest" {
  interface ProvidedContext {
    adminUrl: string;
  }
}

/** One server for this package's test files. (@rialto/testing stands on this package, so it cannot be used here.) */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), "rialto-test-database-"));
  // Root's server runs as another user, who must be able to enter.
  chmodSync(directory, 0o755);
  // A deadlock is to be found, and counted, fast.
  const settings = { synchronous_commit: "off", deadlock_timeout: "200ms" };
  const server = await startEmbeddedPostgres({ directory, log: quietLog, settings });
  project.provide("adminUrl", server.url);
  return async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}
