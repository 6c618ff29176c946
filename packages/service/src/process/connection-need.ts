import { type Database, poolerRefusal } from "@rialto/database";
import { ConfigurationError } from "../config/configuration-error.ts";

/** What a start itself opens beside the pools: the administrator, an owner, and the sessions that probe. */
const startConnections = 3;
/** What BullMQ's pool opens for queries; each subscription adds the connection on which it listens. */
const jobsConnections = 4;

/** How many connections this process opens at the most. */
export function connectionsNeeded(o: {
  readonly databases: readonly Pick<Database, "connectionsMax">[];
  /** Subscriptions whose jobs wait on Postgres; undefined where they wait on Redis. */
  readonly subscriptionsOnPostgres: number | undefined;
}): number {
  const pools = o.databases.reduce((sum, { connectionsMax }) => sum + connectionsMax, 0);
  const jobs = o.subscriptionsOnPostgres === undefined ? 0 : jobsConnections + o.subscriptionsOnPostgres;
  return pools + jobs + startConnections;
}

/**
 * Makes sure that the servers can carry this process, or throws `ConfigurationError`: a server that takes fewer connections than the pools open
 * would refuse the last of them for ever, and a pooler that drops what a session sets would send our statements to another schema.
 */
export async function requireConnections(
  databases: readonly Database[],
  subscriptionsOnPostgres: number | undefined,
): Promise<void> {
  const servers = new Map<string, { databases: Database[]; available: number }>();
  for (const database of databases) {
    const [row] = await database.sql<{ server: string; available: number; path: string }[]>`
      select pg_postmaster_start_time()::text as server, current_setting('search_path') as path, least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
          - current_setting('reserved_connections', true)::int,
        (select nullif(datconnlimit, -1) from pg_database where datname = current_database())) as available`;
    if (row === undefined) continue;
    if (row.path !== `"${database.schema}"`) throw new ConfigurationError([poolerRefusal]);
    const server = servers.get(row.server) ?? { databases: [], available: row.available };
    server.databases.push(database);
    servers.set(row.server, server);
  }
  for (const server of servers.values()) {
    const needed = connectionsNeeded({ databases: server.databases, subscriptionsOnPostgres });
    if (needed > server.available)
      throw new ConfigurationError([
        `Postgres takes ${server.available} connections of Rialto's roles, and this process may open ${needed}: set max_connections to ${needed + 10} or more for each such process, or run the services as processes on servers of their own`,
      ]);
  }
}
