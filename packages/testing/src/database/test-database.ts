import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Database, openDatabase, provision, runtimeUrl, type SchemaSpec, type Sql } from "@rialto/database";
import postgres from "postgres";
import { inject } from "vitest";
import { quietLogger } from "../quiet-logger.ts";
// Declares what `inject` returns, also for the importers of this file.
import type {} from "./postgres-setup.ts";

/** A database of a test file's own, provisioned and empty. */
export interface TestDatabase {
  /** As the superuser, on this database. */
  readonly adminUrl: string;
  readonly secret: string;
  /** Opens a service's schema as its runtime role, once per name. `close` closes it. */
  database(name: string): Database;
  /** The URL of a schema's runtime role. */
  urlOf(name: string): string;
  /** As the superuser, on this database. */
  readonly sql: Sql;
  /** Closes and drops everything. Throws when a pool that the test opened is still open. */
  close(): Promise<void>;
}

/** Serialises the making of templates and of roles, which belong to the whole server. */
const templateLock = 7_242_017_002;
const poolsCloseMsMax = 20_000;

/**
 * Clones a database with these schemas, migrated, for one test file.
 *
 * The first file that asks for a set of migrations makes a template of it, which the others copy: files share the
 * server that `@rialto/testing/postgres` started, and nothing else. `jobs` adds the queue's schema (its tables are
 * @rialto/events').
 */
export async function testDatabase(o: { schemas: readonly SchemaSpec[]; jobs?: boolean }): Promise<TestDatabase> {
  const server = inject("rialtoPostgres");
  const name = `test_${randomBytes(8).toString("hex")}`;
  await onServer(server.adminUrl, async (sql) => {
    const template = await ensureTemplate(sql, server, o);
    await sql`create database ${sql(name)} template ${sql(template)} strategy file_copy`;
  });
  const adminUrl = withDatabase(server.adminUrl, name);
  const sql = adminPool(adminUrl, 5);
  const opened = new Map<string, Database>();
  const urls = new Map<string, string>();
  for (const schema of [...o.schemas.map((spec) => spec.name), ...(o.jobs === true ? ["jobs"] : [])])
    urls.set(schema, await runtimeUrl(adminUrl, schema, server.secret));
  const urlOf = (schema: string) => {
    const url = urls.get(schema);
    if (url === undefined) throw new Error(`the database was made without the schema ${schema}`);
    return url;
  };
  return {
    adminUrl,
    secret: server.secret,
    sql,
    urlOf,
    database: (schema) => {
      const database =
        opened.get(schema) ?? openDatabase({ url: urlOf(schema), schema, service: schema, freezesShared: true });
      opened.set(schema, database);
      return database;
    },
    close: async () => {
      await Promise.all([...opened.values()].map((database) => database.close()));
      await sql.end({ timeout: 1 });
      await onServer(server.adminUrl, async (admin) => {
        const open = await poolsLeftOpen(admin, name);
        await admin`drop database if exists ${admin(name)} with (force)`;
        if (open.length > 0) throw new Error(`pools were left open: ${open.join(", ")}`);
      });
    },
  };
}

async function ensureTemplate(
  sql: Sql,
  server: { adminUrl: string; secret: string },
  o: { schemas: readonly SchemaSpec[]; jobs?: boolean },
): Promise<string> {
  const template = `template_${fingerprint(o)}`;
  await sql`select pg_advisory_lock(${templateLock})`;
  try {
    const [found] = await sql`select 1 from pg_database where datname = ${template}`;
    if (found !== undefined) return template;
    await sql`create database ${sql(template)}`;
    try {
      await provision({ ...o, ...server, adminUrl: withDatabase(server.adminUrl, template), log: quietLogger });
      await noSessionsOn(sql, template);
    } catch (error) {
      await sql`drop database ${sql(template)} with (force)`;
      throw error;
    }
    return template;
  } finally {
    await sql`select pg_advisory_unlock(${templateLock})`;
  }
}

/** A template can be copied only without connections to it, and a closed one takes a moment to disappear. */
async function noSessionsOn(sql: Sql, database: string): Promise<void> {
  const left = await poolsLeftOpen(sql, database);
  if (left.length > 0) throw new Error(`the template is still in use by ${left.join(", ")}`);
}

function fingerprint(o: { schemas: readonly SchemaSpec[]; jobs?: boolean }): string {
  const hash = createHash("sha256").update(String(o.jobs ?? false));
  for (const { name, migrations, rights = {}, indexes = [] } of o.schemas) {
    const folder = fileURLToPath(migrations);
    hash.update(`\n${name}\n${folder}\n${JSON.stringify([rights, indexes])}\n`);
    for (const file of readdirSync(folder)
      .filter((entry) => entry.endsWith(".sql"))
      .sort()) {
      hash.update(file).update(readFileSync(`${folder}/${file}`));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** The names of the sessions on a database that do not go away. */
async function poolsLeftOpen(sql: Sql, database: string): Promise<string[]> {
  const pollMs = 20;
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const open = await sql<{ name: string }[]>`
      select distinct application_name as name from pg_stat_activity
      where datname = ${database} and backend_type = 'client backend'`;
    if (open.length === 0 || waitedMs >= poolsCloseMsMax) return open.map((row) => row.name);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

async function onServer<T>(adminUrl: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = adminPool(adminUrl, 1);
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function adminPool(url: string, max: number): Sql {
  return postgres(url, { max, onnotice: () => undefined, types: { bigint: postgres.BigInt } });
}

function withDatabase(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}
