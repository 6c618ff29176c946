import { type PostgresPair, startPostgresPair } from "@rialto/testing/postgres-pair";
import type { Part } from "./process.ts";

/** Two replicas of everything, twice, until the sessions of killed processes are detected. */
const settings = { max_connections: "500" };

/**
 * The Postgres of a run: a server with several processes, which are killed and frozen together, and which can fail
 * over.
 */
export interface PostgresServer extends Part, Pick<PostgresPair, "url" | "primaryPort" | "serverLog" | "setReadOnly"> {
  /** Adds a synchronous standby, kills the primary, and promotes the standby. */
  move(): Promise<void>;
  /** Ends every session except its own. */
  cutAll(): Promise<void>;
}

/** Starts the Postgres of a run in a folder. Its URL stays the same after a failover. */
export async function startPostgresServer(folder: string): Promise<PostgresServer> {
  const pair = await startPostgresPair({ folder, synchronous: true, settings });
  return {
    ...pair,
    name: "postgres",
    start: pair.restart,
    stop: pair.close,
    async move() {
      await pair.addStandby();
      await pair.failOver();
    },
    async cutAll() {
      await pair.onPrimary(async (sql) => {
        await sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where backend_type = 'client backend' and pid <> pg_backend_pid()`;
      });
    },
  };
}
