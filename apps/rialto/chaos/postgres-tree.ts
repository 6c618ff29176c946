import { type PostgresPair, startPostgresPair } from "@rialto/testing/postgres-pair";
import type { Part } from "./process.ts";

/** Two replicas of everything, twice over while the sessions of killed ones are not noticed yet. */
const settings = { max_connections: "500" };

/** The Postgres of a run: a server with many processes, which are killed and frozen together, and which moves to another one. */
export interface PostgresTree extends Part, Pick<PostgresPair, "url" | "primaryPort" | "serverLog" | "setReadOnly"> {
  /** Gives the primary a synchronous standby, kills it, and promotes the standby. */
  move(): Promise<void>;
  /** Ends every session but the one that asks for it. */
  cutAll(): Promise<void>;
}

/** Starts the Postgres of a run in a folder, under a URL that it has wherever it moves. */
export async function startPostgresTree(folder: string): Promise<PostgresTree> {
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
