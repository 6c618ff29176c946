import {
  type Database,
  installationOf,
  isOfOlderVersion,
  openDatabase,
  poolerRefusal,
  provision,
  requireSchema,
  runtimeUrl,
  type SchemaRoles,
  type SchemaSpec,
  urlAs,
} from "@rialto/database";
import { createJobs, type Jobs, migrateJobs } from "@rialto/events";
import type { Logger } from "@rialto/telemetry";
import type { Config } from "../config/config.ts";
import { ConfigurationError } from "../config/variable.ts";
import type { ServiceName } from "../service-name.ts";
import { type InstallationMark, requireRedis } from "./redis-start.ts";

/** The name of the schema and of the role of the queue's tables. */
const jobsSchema = "jobs";

/** How a process reaches its schemas. */
export interface DatabaseAccess {
  /** The URL of a role that may create roles and schemas; undefined if the process was given runtime roles only. */
  readonly adminUrl: string | undefined;
  readonly secret: string;
  readonly config: Config;
  /** The roles by schema, as `prepareDatabases` found them. The server is asked for those that are missing. */
  readonly roles?: ReadonlyMap<string, SchemaRoles>;
  /** Statements have spans, as the work has that sends them. */
  readonly isTraced?: boolean;
  /** What is in flight on each pool is counted. */
  readonly isCounted?: boolean;
}

/**
 * Creates roles, schemas and tables, except for schemas with a URL of their own. Idempotent, and safe in several
 * processes at once. Returns the access with the roles.
 */
export async function prepareDatabases(
  access: DatabaseAccess,
  schemas: readonly SchemaSpec[],
  { log, contract = false }: { readonly log: Logger; readonly contract?: boolean },
): Promise<DatabaseAccess> {
  const { adminUrl, secret, config } = access;
  if (adminUrl === undefined) return access;
  const ours = schemas.filter((schema) => config.databaseUrls[schema.name] === undefined);
  const jobs = config.redisUrl === undefined && config.databaseUrls[jobsSchema] === undefined;
  const roles = await provision({ adminUrl, secret, schemas: ours, jobs, contract, log });
  const ofJobs = jobs ? roles.get(jobsSchema) : undefined;
  // Without the lock of the provisioning: it may wait for its own tables, and no other start has to wait with it.
  if (ofJobs !== undefined) await migrateJobs(urlAs(adminUrl, ofJobs.owner, secret));
  return { ...access, roles };
}

/**
 * Checks that this code may run on a schema, where `prepareDatabases` leaves it to others because it has a URL of its
 * own. Throws an error that tells the operator what to do.
 */
export async function requireAcceptedSchema(
  { config }: DatabaseAccess,
  schema: SchemaSpec,
  database: Database,
): Promise<void> {
  if (config.databaseUrls[schema.name] !== undefined) await requireSchema(database, schema);
}

/** Connects to one schema as its runtime role, to publish these topics only. */
export async function connect(
  access: DatabaseAccess,
  schema: string,
  service: ServiceName,
  publishes: readonly string[] = [],
): Promise<Database> {
  const { isTraced: traced = false, isCounted: counted = false, config } = access;
  const { freezesShared } = config;
  const url = await urlOf(access, schema);
  return openDatabase({ url, schema, service, publishes, freezesShared, traced, counted });
}

/**
 * Connects to the job queue: Redis if it is configured, else the same Postgres. Throws `ConfigurationError` if Redis
 * refuses us, or if its keys under our prefix belong to another installation than these databases.
 */
export async function connectJobs(access: DatabaseAccess, databases: readonly Database[]): Promise<Jobs> {
  const { redisUrl, redisPrefix } = access.config;
  if (redisUrl === undefined) return await createJobs({ postgresUrl: await urlOf(access, jobsSchema) });
  const marks: InstallationMark[] = [];
  let ofOlderVersion = false;
  for (const database of databases) {
    const installation = await installationOf(database);
    if (installation !== undefined) marks.push({ schema: database.schema, installation });
    ofOlderVersion ||= await isOfOlderVersion(database.sql, database.schema);
  }
  const { ownsOldPrefix } = await requireRedis({ redisUrl, redisPrefix, marks, ofOlderVersion });
  return await createJobs({ redisUrl, redisPrefix, drainsOldPrefix: ownsOldPrefix });
}

async function urlOf({ adminUrl, secret, config, roles }: DatabaseAccess, schema: string): Promise<string> {
  const given = config.databaseUrls[schema];
  if (given !== undefined) return given;
  if (adminUrl !== undefined) {
    const known = roles?.get(schema);
    return known === undefined ? await runtimeUrl(adminUrl, schema, secret) : urlAs(adminUrl, known.runtime, secret);
  }
  throw new ConfigurationError([`RIALTO_${schema.toUpperCase()}_DATABASE_URL must be set, or DATABASE_URL`]);
}

/** Connections that the start opens beside the pools: the administrator's, and two of roles. */
const startConnections = 3;
/** The queue's pool for queries. Each subscription adds a connection on which it listens. */
const jobsConnections = 4;

/** Returns the maximum number of connections that this process opens. */
export function connectionsNeeded(o: {
  readonly databases: readonly Pick<Database, "connectionsMax">[];
  /** The number of subscriptions with a queue on Postgres; undefined if the queue is on Redis. */
  readonly subscriptionsOnPostgres: number | undefined;
}): number {
  const pools = o.databases.reduce((sum, { connectionsMax }) => sum + connectionsMax, 0);
  const jobs = o.subscriptionsOnPostgres === undefined ? 0 : jobsConnections + o.subscriptionsOnPostgres;
  return pools + jobs + startConnections;
}

/**
 * Checks that the servers accept as many connections as this process opens, and that session settings survive. Throws
 * `ConfigurationError` otherwise: the last connections would be refused forever, and a pooler that drops settings would
 * run our statements in another schema.
 */
export async function requireConnections(
  databases: readonly Database[],
  subscriptionsOnPostgres: number | undefined,
): Promise<void> {
  const servers = new Map<string, { databases: Database[]; available: number }>();
  const rows = databases.map(async (database) => {
    const [row] = await database.sql<{ server: string; available: number; path: string }[]>`
      select pg_postmaster_start_time()::text as server, current_setting('search_path') as path, least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
          - current_setting('reserved_connections', true)::int,
        (select nullif(datconnlimit, -1) from pg_database where datname = current_database())) as available`;
    return [database, row] as const;
  });
  for (const [database, row] of await Promise.all(rows)) {
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
