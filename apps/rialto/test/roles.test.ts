import { randomUUID } from "node:crypto";
import { ownerUrl, provision } from "@rialto/database";
import { migrateJobs } from "@rialto/events";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

const schemas = services.flatMap((service) => service.schemas);
const names = schemas.map(({ name }) => name);

/** Every service's runtime role, with every schema of another service. */
const pairs = names.flatMap((role) => names.filter((schema) => schema !== role).map((schema) => ({ role, schema })));

/** Every table with restricted rights. */
const declared = schemas.flatMap(({ name: schema, rights = {} }) =>
  Object.entries(rights).map(([table, right]) => ({ schema, table, rights: right })),
);

describe("a service's runtime role", () => {
  let db: TestDatabase;

  beforeAll(async () => {
    db = await testDatabase({ schemas, jobs: true });
    await migrateJobs(await ownerUrl(db.adminUrl, "jobs", db.secret));
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
      // The migrations' own tables are written only by the owner.
      const restricted = [
        "compatibility",
        ...declared.filter(({ schema }) => schema === role).map(({ table }) => table),
      ];
      const [first] = await db.sql<{ name: string }[]>`
        select table_name as name from information_schema.tables
        where table_schema = ${role} and table_name <> all (${restricted}) and table_name not like '\\_\\_%' order by 1 limit 1`;
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

  it.each(declared)('of $schema keeps to "$rights" on $table after a start of the older version', async (o) => {
    const { schema, table, rights } = o;
    const start = () => provision({ adminUrl: db.adminUrl, secret: db.secret, schemas, log: quietLogger });
    const olderVersionStarts = async () => {
      const owner = postgres(await ownerUrl(db.adminUrl, schema, db.secret), { max: 1 });
      // As version 0.1.0 does at each start.
      const role = owner(new URL(db.urlOf(schema)).username);
      await owner`grant select, insert, update, delete on all tables in schema ${owner(schema)} to ${role}`;
      await owner.end();
    };
    await start();
    await start();
    await olderVersionStarts();
    await start();
    await asRole(schema, async (sql) => {
      const name = sql(`${schema}.${table}`);
      const [column] = await db.sql<{ name: string }[]>`
        select attname as name from pg_attribute where attrelid = ${`"${schema}".${table}`}::text::regclass and attnum = 1`;
      await expect(sql`select 1 from ${name} limit 1`).resolves.toBeDefined();
      await expect(sql`delete from ${name}`).rejects.toThrow("permission denied for table");
      await expect(sql`truncate ${name}`).rejects.toThrow("permission denied for table");
      const change = sql`update ${name} set ${sql(column?.name ?? "")} = default where false`;
      if (rights === "kept") await expect(change).resolves.toBeDefined();
      else await expect(change).rejects.toThrow("permission denied for table");
    });
  });

  it("of an append-only log exists for orders and for payments", () => {
    const logs = declared.filter(({ rights }) => rights === "append-only").map(({ table }) => table);
    expect(logs).toEqual(expect.arrayContaining(["order_event", "payment_event", "adjustment"]));
  });

  it.each(services.map(({ name }) => name))(
    "of %s can do to its audit log what the sweep does, and no more",
    async (schema) => {
      const entry = (sql: postgres.Sql, id: string, days: number) => sql`
      insert into ${sql(`${schema}.audit_entry`)} (id, time, actor, method, subject, changes, request_id, client_address)
      values (${id}, now() - ${days} * interval '1 day', 'operator', 'test', ${id}, '[]', 'request', '192.0.2.1')`;
      const ids = { young: randomUUID(), old: randomUUID(), over: randomUUID() };
      await asRole(schema, async (sql) => {
        await entry(sql, ids.young, 89);
        await entry(sql, ids.old, 399);
        await entry(sql, ids.over, 401);
        const sweep = (days: number) => sql`select ${sql.unsafe(`"${schema}".sweep_audit`)}(${days}::int) as rows`;
        await expect(sweep(89)).rejects.toThrow("kept for 90 days at the least");
        expect(await sweep(400)).toMatchObject([{ rows: 3 }]);
        expect(await sweep(400)).toMatchObject([{ rows: 0 }]);
        const left = await sql<{ id: string; address: string | null }[]>`
        select id, client_address as address from ${sql(`${schema}.audit_entry`)} where id = any (${Object.values(ids)}) order by time`;
        expect([...left]).toEqual([
          { id: ids.old, address: null },
          { id: ids.young, address: "192.0.2.1" },
        ]);
      });
      for (const role of names.filter((name) => name !== schema))
        await asRole(role, async (sql) => {
          await expect(sql`select ${sql.unsafe(`"${schema}".sweep_audit`)}(400)`).rejects.toThrow("permission denied");
        });
    },
  );

  async function asRole(role: string, work: (sql: postgres.Sql) => Promise<void>): Promise<void> {
    const sql = postgres(db.urlOf(role), { max: 1 });
    try {
      await work(sql);
    } finally {
      await sql.end();
    }
  }
});
