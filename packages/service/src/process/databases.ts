import {
  type Database,
  installationOf,
  isOfOlderVersion,
  openDatabase,
  ownerUrl,
  provision,
  runtimeUrl,
  type SchemaSpec,
} from "@rialto/database";
import { createJobs, type Jobs, migrateJobs } from "@rialto/events";
import type { Logger } from "@rialto/telemetry";
import type { Config } from "../config/config.ts";
import { ConfigurationError } from "../config/configuration-error.ts";
import type { ServiceName } from "../service-name.ts";
import { type InstallationMark, requireRedis } from "./redis-start.ts";

/** The name of the schema and the role of BullMQ's tables. */
const jobsSchema = "jobs";

/** Of one schema's main pool. Six schemas in one process, or in six, stay below the 100 that a Postgres takes as it comes. */
const connectionsMax = 6;

/** Where a process' schemas are, once that is settled. */
export interface DatabaseAccess {
  /** A role that may create; undefined where the process was given runtime roles only. */
  readonly adminUrl: string | undefined;
  readonly secret: string;
  readonly config: Config;
}

/** Makes roles, schemas and tables of what is not reached by a URL of its own. Safe at every start, and in several processes at once. */
export async function prepareDatabases(
  access: DatabaseAccess,
  schemas: readonly SchemaSpec[],
  log: Logger,
): Promise<void> {
  const { adminUrl, secret, config } = access;
  if (adminUrl === undefined) return;
  const ours = schemas.filter((schema) => config.databaseUrls[schema.name] === undefined);
  const jobs = config.redisUrl === undefined && config.databaseUrls[jobsSchema] === undefined;
  await provision({ adminUrl, secret, schemas: ours, jobs, log });
  if (jobs) await migrateJobs(await ownerUrl(adminUrl, jobsSchema, secret));
}

/** Connects to one schema as its runtime role. */
export async function connect(access: DatabaseAccess, schema: string, service: ServiceName): Promise<Database> {
  return openDatabase({ url: await urlOf(access, schema), schema, service, connectionsMax });
}

/**
 * Connects to where jobs wait: Redis where there is one, else the same Postgres. Redis must let us in, and hold under our prefix what is of the
 * installation of these databases, or `ConfigurationError` is thrown.
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

async function urlOf({ adminUrl, secret, config }: DatabaseAccess, schema: string): Promise<string> {
  const given = config.databaseUrls[schema];
  if (given !== undefined) return given;
  if (adminUrl !== undefined) return await runtimeUrl(adminUrl, schema, secret);
  throw new ConfigurationError([`RIALTO_${schema.toUpperCase()}_DATABASE_URL must be set, or DATABASE_URL`]);
}
