import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import type { TestProject } from "vitest/node";
import { quietLogger } from "../quiet-logger.ts";

declare module "vitest" {
  interface ProvidedContext {
    rialtoPostgres: { adminUrl: string; secret: string };
  }
}

const folderPrefix = "rialto-test-postgres-";
/** A folder of another run is left alone for this long, whatever it looks like: that run may be about to lock it. */
const leftoverAgeMs = 120_000;

/** Without durability: the data does not outlive the run. */
const settings = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  shared_buffers: "64MB",
  max_connections: "300",
};

/**
 * Vitest's globalSetup: one embedded Postgres for all test files of a package, in a folder of its own that is removed
 * at the end. Servers that a killed run left behind are stopped first.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  const directory = mkdtempSync(join(tmpdir(), folderPrefix));
  // Root's server runs as another user. If that user cannot enter the folder, the data would be elsewhere and stay.
  chmodSync(directory, 0o755);
  const server = await startEmbeddedPostgres({ directory, log: quietLogger, settings });
  project.provide("rialtoPostgres", { adminUrl: server.url, secret: "the secret of a test run" });
  return async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
}

async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(folderPrefix))) {
    const directory = join(tmpdir(), name);
    try {
      if (Date.now() - statSync(directory).mtimeMs < leftoverAgeMs) continue;
      // Takes over the server that lives on there, to stop it; refused where its run still lives.
      const server = await startEmbeddedPostgres({ directory, log: quietLogger, settings });
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    } catch {
      // In use, or another user's.
    }
  }
}
