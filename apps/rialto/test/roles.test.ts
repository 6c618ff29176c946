import { ownerUrl } from "@rialto/database";
import { migrateJobs } from "@rialto/events";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

const schemas = services.flatMap((service) => service.schemas);
const names = schemas.map(({ name }) => name);

/** Every service's runtime role with every schema that is not its own. */
const pairs = names.flatMap((role) => names.filter((schema) => schema !== role).map((schema) => ({ role, schema })));

describe("a service's runtime role", () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase({ schemas, jobs: true });
    await migrateJobs(ownerUrl(db.adminUrl, "jobs", db.secret));
  });

  afterAll(() => db.close());

  it.each(pairs)("of $role can neither read nor write anything of $schema", async ({ role, schema }) => {
    const tables = await db.sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = ${schema}`;
    expect(tables.length).toBeGreaterThan(0);
    await asRole(role, async (sql) => {
      for (const { name } of tables) {
        const table = sql(`${schema}.${name}`);
        await expect(sql`select * from ${table}`).rejects.toThrow("permission denied for schema");
        await expect(sql`delete from ${table}`).rejects.toThrow("permission denied for schema");
        await expect(sql`insert into ${table} default values`).rejects.toThrow("permission denied for schema");
      }
    });
  });

  it.each(names)("of %s can make nothing: no table, no schema, no role", async (role) => {
    await asRole(role, async (sql) => {
      await expect(sql`create table ${sql(`${role}.mine`)} (id int)`).rejects.toThrow("permission denied");
      await expect(sql`create table public.mine (id int)`).rejects.toThrow("permission denied");
      await expect(sql`create schema mine`).rejects.toThrow("permission denied");
      await expect(sql`create role mine`).rejects.toThrow("permission denied");
    });
  });

  it.each(names)("of %s reads and writes what is its own", async (role) => {
    await asRole(role, async (sql) => {
      // What the migrations keep of themselves is the owner's to write.
      const [first] = await db.sql<{ name: string }[]>`
        select table_name as name from information_schema.tables
        where table_schema = ${role} and table_name <> 'compatibility' and table_name not like '\\_\\_%' order by 1 limit 1`;
      const table = sql(`${role}.${first?.name}`);
      await expect(sql`select count(*) from ${table}`).resolves.toHaveLength(1);
      await expect(sql`delete from ${table} where false`).resolves.toHaveLength(0);
    });
  });

  it.each(names)("of %s reaches none of the queue's tables", async (role) => {
    const [table] = await db.sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'jobs' limit 1`;
    expect(table).toBeDefined();
    await asRole(role, async (sql) => {
      await expect(sql`select * from ${sql(`jobs.${table?.name}`)}`).rejects.toThrow("permission denied");
    });
  });

  async function asRole(role: string, work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
    const sql = postgres(db.urlOf(role), { max: 1 });
    try {
      await work(sql);
    } finally {
      await sql.end();
    }
  }
});
