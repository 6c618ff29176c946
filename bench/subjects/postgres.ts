import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../../packages/embedded-postgres/src/index.ts";
import { createLogger } from "../../packages/telemetry/src/index.ts";
import { readProcesses } from "../measure/proc.ts";
import { endWithBench } from "./end-with-bench.ts";

/** A Postgres that a shop runs on: the embedded one of this checkout, with fsync on, for every side. */
export interface ShopDatabase {
  readonly url: string;
  /** Of the postmaster, the root of all its processes. */
  readonly pid: number;
  readonly sql: postgres.Sql;
  stop(): Promise<void>;
}

/** Starts a Postgres with a new data folder in `folder`, with the default settings where none are given. */
export async function startShopDatabase(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<ShopDatabase> {
  // Postgres runs as another user under root, and must be able to enter the folder.
  chmodSync(folder, 0o755);
  const directory = join(folder, "postgres");
  mkdirSync(directory);
  const quiet = createLogger({ service: "bench", level: "silent" });
  const server = await startEmbeddedPostgres({ directory, log: quiet, settings });
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  const [row] = await sql`select pg_backend_pid() as pid`;
  const pid = readProcesses().find((process) => process.pid === row?.pid)?.parent;
  if (pid === undefined) throw new Error("the postmaster is not among the processes of this machine");
  // A fast shutdown.
  const ended = endWithBench(pid, "SIGINT");
  return {
    url: server.url,
    pid,
    sql,
    async stop() {
      await sql.end({ timeout: 1 });
      await server.stop();
      ended();
    },
  };
}
