import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { connect } from "../src/connection/connection.ts";
import { type Database, openDatabase, provision, RoleOfAnother, runtimeUrl, type Sql } from "../src/index.ts";
import { newRoles } from "../src/provisioning/roles.ts";
import { olderRuntimeUrl, olderVersionStarts } from "./support/older-version.ts";
import { quietLog } from "./support/quiet-log.ts";
import { emptyDatabase, migrations } from "./support/things.ts";

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A name that no other test of the server uses: roles without a database in their names are the server's. */
const schemaOfItsOwn = () => `s${randomBytes(4).toString("hex")}`;

async function database(): Promise<string> {
  const { adminUrl, drop } = await emptyDatabase();
  opened.push(drop);
  return adminUrl;
}

function as(url: string): Sql {
  const sql = connect(url, { max: 1 });
  opened.push(() => sql.end());
  return sql;
}

const start = (adminUrl: string, schema: string, secret: string, rights = {}) =>
  provision({ adminUrl, secret, schemas: [{ name: schema, migrations, rights }], log: quietLog });

async function open(adminUrl: string, schema: string, secret: string): Promise<Database> {
  const url = await runtimeUrl(adminUrl, schema, secret);
  const made = openDatabase({ url, schema, service: "test" });
  opened.push(made.close);
  return made;
}

const rolesIn = async (adminUrl: string, schema: string) =>
  (
    await as(adminUrl)<{ name: string }[]>`
      select rolname as name from pg_roles where rolname like ${`rialto%\\_${schema}%`} order by 1`
  ).map(({ name }) => name);

describe("two new installations on one server", () => {
  it("have roles of their own, and neither locks the other out", async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await database(), await database()];
    await start(one, schema, "the secret of one");
    const first = await open(one, schema, "the secret of one");
    await first.sql`insert into lease values ('kept', 'x', now())`;
    await start(other, schema, "the secret of the other");
    const second = await open(other, schema, "the secret of the other");
    expect(await second.sql`select name from lease`).toEqual([]);
    // New connections of the first, which an exchanged password would refuse.
    const again = await open(one, schema, "the secret of one");
    expect(await again.sql`select name from lease`).toEqual([{ name: "kept" }]);
    expect(await rolesIn(one, schema)).toHaveLength(4);
  });

  it("have them where the database has 60 characters and a dash", async () => {
    const long = (last: string) => `shop-${"x".repeat(54)}${last}`;
    const urls: string[] = [];
    const server = as(inject("adminUrl"));
    for (const last of ["1", "2"]) {
      await server`create database ${server(long(last))}`;
      opened.push(async () => {
        const dropping = connect(inject("adminUrl"), { max: 1 });
        await dropping`drop database ${dropping(long(last))} with (force)`;
        await dropping.end();
      });
      const url = new URL(inject("adminUrl"));
      url.pathname = `/${long(last)}`;
      urls.push(url.href);
    }
    const schema = schemaOfItsOwn();
    for (const url of urls) {
      await start(url, schema, url);
      await start(url, schema, url);
    }
    for (const url of urls) {
      const [row] = await (await open(url, schema, url)).sql<{ role: string }[]>`select current_user as role`;
      expect(row?.role).toMatch(new RegExp(`^rialto_shop-x+_[0-9a-f]{8}_${schema}$`));
    }
    expect(await rolesIn(urls[0] ?? "", schema)).toHaveLength(4);
  });
});

describe("newRoles", () => {
  it("names the database and the schema, and stays within what Postgres takes", () => {
    expect(newRoles("shop", "order")).toEqual({ owner: "rialto_shop_order_owner", runtime: "rialto_shop_order" });
    for (const name of ["d".repeat(63), "ö".repeat(31), "\u{1F6D2}".repeat(15), "notification".repeat(5)]) {
      const { owner, runtime } = newRoles(name, "card_network");
      expect(Buffer.byteLength(owner)).toBeLessThanOrEqual(63);
      expect(owner).toBe(`${runtime}_owner`);
      expect(newRoles(`${name.slice(0, -1)}z`, "card_network").runtime).not.toBe(runtime);
    }
  });
});

describe("an installation that version 0.1.0 made", () => {
  it("keeps its roles and passwords, and replicas of that version go on beside the new one", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    await olderVersionStarts({ adminUrl: url, secret: "its secret", schema });
    const older = as(olderRuntimeUrl(url, schema, "its secret"));
    await older`select 1`;
    await start(url, schema, "its secret");
    const newer = await open(url, schema, "its secret");
    await newer.sql`insert into lease values ('new', 'x', now())`;
    // The replica that was running, one that starts now, and the one of the new version.
    expect(await older.unsafe(`select name from ${schema}.lease`)).toEqual([{ name: "new" }]);
    await olderVersionStarts({ adminUrl: url, secret: "its secret", schema });
    const olderAgain = as(olderRuntimeUrl(url, schema, "its secret"));
    expect(await olderAgain.unsafe(`select name from ${schema}.lease`)).toEqual([{ name: "new" }]);
    expect(await (await open(url, schema, "its secret")).sql`select current_user as role`).toEqual([
      { role: `rialto_${schema}` },
    ]);
    expect(await rolesIn(url, schema)).toEqual([`rialto_${schema}`, `rialto_${schema}_owner`]);
  });

  it("follows a secret that was changed, as its roles are used in no other database", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    await olderVersionStarts({ adminUrl: url, secret: "before", schema });
    await start(url, schema, "after");
    await (await open(url, schema, "after")).sql`select 1`;
    await expect(as(olderRuntimeUrl(url, schema, "before"))`select 1`).rejects.toMatchObject({ code: "28P01" });
  });

  it("is not locked out by another of them on the same server: the start that would do so is refused", async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await database(), await database()];
    await olderVersionStarts({ adminUrl: one, secret: "of one", schema });
    await olderVersionStarts({ adminUrl: other, secret: "of the other", schema });
    // The older version gave the roles the other's password. The first one's start takes it away from nobody.
    const refused = start(one, schema, "of one");
    await expect(refused).rejects.toBeInstanceOf(RoleOfAnother);
    await expect(refused).rejects.toThrow(new URL(other).pathname.slice(1));
    await expect(refused).rejects.toThrow(/^[^\n]*RIALTO_SECRET[^\n]*$/);
    await as(olderRuntimeUrl(other, schema, "of the other"))`select 1`;
    // Both under the secret that the roles were made with.
    await start(other, schema, "of the other");
    await start(one, schema, "of the other");
    await (await open(one, schema, "of the other")).sql`select 1`;
    await (await open(other, schema, "of the other")).sql`select 1`;
  });
});

describe("a start", () => {
  it("leaves the password of a role alone that nothing proves to be its own", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    const { owner } = newRoles(new URL(url).pathname.slice(1), schema);
    await as(url).unsafe(`create role "${owner}" login password 'a person gave it'`);
    await expect(start(url, schema, "its secret")).rejects.toThrow(`The role "${owner}" has another password`);
    const persons = new URL(url);
    persons.username = owner;
    persons.password = "a person gave it";
    await as(persons.href)`select 1`;
  });

  it("starts in a database that nobody may connect to without a right of their own, as one that a backup was restored into", async () => {
    const [adminUrl, schema] = [await database(), schemaOfItsOwn()];
    await start(adminUrl, schema, "a secret");
    const sql = as(adminUrl);
    const [row] = await sql<{ name: string }[]>`select current_database() as name`;
    const roles = (await rolesIn(adminUrl, schema)).map((role) => sql(role));
    for (const role of roles) await sql`revoke connect on database ${sql(row?.name ?? "")} from public, ${role}`;
    await start(adminUrl, schema, "a secret");
    const opened = await open(adminUrl, schema, "a secret");
    expect(await opened.sql`select name from lease`).toEqual([]);
  });

  it("is refused where the schema belongs to a role that is none of Rialto's", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    await as(url).unsafe(`create schema ${schema}`);
    await expect(start(url, schema, "its secret")).rejects.toThrow(
      `The schema "${schema}" belongs to the role "postgres"`,
    );
  });

  it("is not kept waiting by a runtime role that holds the provisioning lock", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    await start(url, schema, "its secret");
    const { sql } = await open(url, schema, "its secret");
    const held = await sql.reserve();
    await held`select pg_advisory_lock(7242017001)`;
    await start(url, schema, "its secret");
    held.release();
  });

  it("takes temporary tables, large objects and template1 from every role", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    await start(url, schema, "its secret");
    const { sql } = await open(url, schema, "its secret");
    for (const statement of [
      "create temp table mine (id int)",
      "select lo_create(0)",
      "select lo_creat(-1)",
      "select lo_from_bytea(0, 'x')",
    ])
      await expect(sql.unsafe(statement), statement).rejects.toMatchObject({ code: "42501" });
    const template = new URL(await runtimeUrl(url, schema, "its secret"));
    template.pathname = "/template1";
    await expect(as(template.href)`select 1`).rejects.toMatchObject({ code: "42501" });
  });

  it("leaves temporary tables to the queue's role, which BullMQ makes", async () => {
    const url = await database();
    await provision({ adminUrl: url, secret: "its secret", schemas: [], jobs: true, log: quietLog });
    await as(await runtimeUrl(url, "jobs", "its secret")).unsafe("create temp table mine (id int)");
  });

  it("takes back what an older version's start granted on an append-only table", async () => {
    const schema = schemaOfItsOwn();
    const url = await database();
    const rights = { lease: "append-only" } as const;
    await start(url, schema, "its secret", rights);
    await start(url, schema, "its secret", rights);
    const [row] = await (await open(url, schema, "its secret")).sql<{ role: string }[]>`select current_user as role`;
    await as(url).unsafe(`grant all on all tables in schema ${schema} to "${row?.role}"`);
    await start(url, schema, "its secret", rights);
    // On one column, which the rights of the table do not show.
    await as(url).unsafe(`grant update (holder) on ${schema}.lease to "${row?.role}"`);
    await start(url, schema, "its secret", rights);
    const { sql } = await open(url, schema, "its secret");
    await sql`insert into lease values ('logged', 'x', now())`;
    for (const statement of ["update lease set holder = 'y'", "delete from lease", "truncate lease"])
      await expect(sql.unsafe(statement), statement).rejects.toMatchObject({ code: "42501" });
  });
});
