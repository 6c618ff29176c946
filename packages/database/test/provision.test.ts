import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../src/connection/connection.ts";
import {
  DatabaseUnreachable,
  MigrationsDiffer,
  openDatabase,
  ownerUrl,
  provision,
  requireSchema,
  runtimeUrl,
  type Sql,
  TooOldCode,
  TooOldPostgres,
} from "../src/index.ts";
import { quietLog } from "./support/quiet-log.ts";
import { emptyDatabase, migrations, secret } from "./support/things.ts";

let adminUrl: string;
let drop: () => Promise<void>;
let folder: string;
const pools: { end(): Promise<void> }[] = [];

beforeEach(async () => {
  ({ adminUrl, drop } = await emptyDatabase());
  folder = mkdtempSync(join(tmpdir(), "rialto-test-migrations-"));
  cpSync(migrations, folder, { recursive: true });
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
  await drop();
  rmSync(folder, { recursive: true, force: true });
});

const schemas = ["order", "payment", "card_network"].map((name) => ({ name, migrations }));

function as(url: string): Sql {
  const sql = connect(url, { max: 1 });
  pools.push(sql);
  return sql;
}

/** The migrations of this test's own folder, with these after the first. */
function written(...more: { tag: string; when?: number; text: string }[]) {
  const path = join(folder, "meta", "_journal.json");
  const journal: { entries: { idx: number; when: number; tag: string }[] } = JSON.parse(readFileSync(path, "utf8"));
  const [first] = journal.entries;
  const entries = more.map(({ tag, when }, n) => ({ ...first, idx: n + 1, when: when ?? 1764000001000 + n, tag }));
  writeFileSync(path, JSON.stringify({ ...journal, entries: [first, ...entries] }));
  for (const { tag, text } of more) writeFileSync(join(folder, `${tag}.sql`), text);
  return { adminUrl, secret, schemas: [{ name: "order", migrations: pathToFileURL(folder) }], log: quietLog };
}

describe("provision", () => {
  it("finds nothing to do when it runs again, and when many run at once", async () => {
    const o = { adminUrl, secret, schemas, jobs: true, log: quietLog };
    await Promise.all([provision(o), provision(o), provision(o)]);
    await as(await runtimeUrl(adminUrl, "order", secret))`insert into "order".lease values ('kept', 'x', now())`;
    await provision(o);
    expect(await as(await runtimeUrl(adminUrl, "order", secret))`select name from "order".lease`).toEqual([
      { name: "kept" },
    ]);
  });

  it("writes nothing to what is as it should be", async () => {
    const o = { adminUrl, secret, schemas, jobs: true, log: quietLog };
    await provision(o);
    const admin = as(adminUrl);
    const versions = () => admin`
      select oid::regclass::text as name, xmin::text, relacl::text from pg_class
      where relnamespace::regnamespace::text not like 'pg%' order by 1`;
    const before = await versions();
    expect(before.length).toBeGreaterThan(10);
    await provision(o);
    expect(await versions()).toEqual(before);
  });

  it("makes the other schemas ready where one cannot be, and says why", async () => {
    const [first, ...others] = schemas;
    const broken = { name: first?.name ?? "", migrations, rights: { nothing: "kept" } } as const;
    const o = { adminUrl, secret, schemas: [broken, ...others], log: quietLog };
    await expect(provision(o)).rejects.toThrow("the table nothing");
    for (const { name } of others)
      await as(await runtimeUrl(adminUrl, name, secret)).unsafe(`select 1 from ${name}.lease`);
    await provision({ ...o, schemas });
  });

  it("leaves no session behind where it lost its connection while it waited for another start", async () => {
    const other = as(adminUrl);
    await other`select pg_advisory_lock(7242017001)`;
    const lost = provision({ adminUrl, secret, schemas, log: quietLog }).catch((error: unknown) => error);
    const sessions = (more = other``) => other<{ pid: number }[]>`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'rialto-provision' and pid <> pg_backend_pid() ${more}`;
    const waiting = async () => (await sessions(other`and wait_event = 'advisory'`))[0]?.pid;
    await expect.poll(waiting).toBeDefined();
    await other`select pg_terminate_backend(${(await waiting()) ?? 0})`;
    expect(await lost).toBeInstanceOf(Error);
    await expect.poll(async () => await sessions()).toEqual([]);
  });

  it("makes databases of one server ready at the same time", async () => {
    const other = await emptyDatabase();
    const o = { secret, schemas, log: quietLog };
    await Promise.all([provision({ ...o, adminUrl }), provision({ ...o, adminUrl: other.adminUrl })]);
    await other.drop();
  });

  it("gives each service its own schema and refuses it every other", async () => {
    await provision({ adminUrl, secret, schemas, jobs: true, log: quietLog });
    const names = [...schemas.map((spec) => spec.name), "jobs"];
    for (const { name } of schemas) {
      const database = openDatabase({ url: await runtimeUrl(adminUrl, name, secret), schema: name, service: name });
      pools.push({ end: database.close });
      const { sql } = database;
      await sql`insert into lease values ('mine', 'x', now())`;
      await sql`insert into outbox (event_id, topic, subject, version, time, traceparent, payload)
        values (gen_random_uuid(), 't', 's', 1, now(), '', '{}')`;
      const refused = [
        ...names
          .filter((other) => other !== name && other !== "jobs")
          .map((other) => `select 1 from ${other === "order" ? '"order"' : other}.lease`),
        "create table jobs.mine ()",
        "create table mine ()",
        "create table public.mine ()",
        "create schema mine",
        "drop table lease",
        "alter table lease add column x int",
        "delete from __drizzle_migrations",
        "update compatibility set oldest_code = 0",
        "create role mine",
        "select rolpassword from pg_authid",
      ];
      for (const statement of refused) {
        await expect(sql.unsafe(statement), `${name}: ${statement}`).rejects.toMatchObject({ code: "42501" });
      }
    }
  });

  it("refuses rights for a table that is not there, so that a misspelled name leaves no log open", async () => {
    const spec = { name: "order", migrations, rights: { order_evnet: "append-only" } } as const;
    const started = provision({ adminUrl, secret, schemas: [spec], log: quietLog });
    await expect(started).rejects.toThrow("the table order_evnet, which the schema order does not have");
  });

  it("lets the queue's role make what the queue makes", async () => {
    await provision({ adminUrl, secret, schemas: [], jobs: true, log: quietLog });
    await as(await ownerUrl(adminUrl, "jobs", secret))`create table jobs.job (id bigserial primary key)`;
    const jobs = as(await runtimeUrl(adminUrl, "jobs", secret));
    await jobs`create sequence jobs.queue_seq`;
    await jobs`insert into jobs.job default values`;
  });

  it("works in a database whose name has a capital and a dot", async () => {
    const url = new URL(adminUrl);
    const name = `Shop.${url.pathname.slice(-8)}`;
    const server = as(adminUrl);
    await server.unsafe(`create database "${name}"`);
    url.pathname = `/${encodeURIComponent(name)}`;
    try {
      await provision({ adminUrl: url.href, secret, schemas, log: quietLog });
      await provision({ adminUrl: url.href, secret, schemas, log: quietLog });
    } finally {
      await server.unsafe(`drop database "${name}" with (force)`);
    }
  });

  it("follows a secret that was changed", async () => {
    const o = { adminUrl, schemas: schemas.slice(0, 1), log: quietLog };
    await provision({ ...o, secret: "old" });
    await provision({ ...o, secret: "new" });
    await expect(as(await runtimeUrl(adminUrl, "order", "old"))`select 1`).rejects.toMatchObject({ code: "28P01" });
    await as(await runtimeUrl(adminUrl, "order", "new"))`select 1`;
    await provision({ ...o, secret });
  });

  it("works for an administrator who is no superuser", async () => {
    const name = new URL(adminUrl).pathname.slice(1);
    const admin = as(adminUrl);
    await admin.unsafe(`create role "admin_${name}" login createrole createdb password 'secret'`);
    await admin.unsafe(`alter database "${name}" owner to "admin_${name}"`);
    const url = new URL(adminUrl);
    url.username = `admin_${name}`;
    url.password = "secret";
    // Roles of its own: it may not touch those that a superuser made for the other tests.
    const own = [{ name: name.replace("test_", "own_"), migrations }];
    await provision({ adminUrl: url.href, secret, schemas: own, log: quietLog });
    await provision({ adminUrl: url.href, secret, schemas: own, log: quietLog });
    await as(await runtimeUrl(adminUrl, own[0]?.name ?? "", secret)).unsafe(`select 1 from "${own[0]?.name}".lease`);
  });

  it("refuses a Postgres that is too old", async () => {
    const admin = as(adminUrl);
    await admin`create schema older`;
    await admin`create function older.current_setting(text) returns text language sql as $$ select '150004' $$`;
    const url = new URL(adminUrl);
    url.searchParams.set("search_path", "older,pg_catalog");
    const refused = provision({ adminUrl: url.href, secret, schemas, log: quietLog });
    await expect(refused).rejects.toBeInstanceOf(TooOldPostgres);
    await expect(refused).rejects.toThrow("needs Postgres 16 or newer");
  });

  it("says in one line why there is no way in", async () => {
    const wrong = new URL(adminUrl);
    wrong.password = "wrong";
    const nowhere = new URL(adminUrl);
    nowhere.port = "1";
    const missing = new URL(adminUrl);
    missing.pathname = "/missing";
    for (const [url, line] of [
      [wrong, "Postgres refuses the user or the password of the database URL."],
      [nowhere, "Postgres does not answer at the database URL (ECONNREFUSED)."],
      [missing, "The database that the database URL names does not exist."],
    ] as const) {
      const failed = provision({ adminUrl: url.href, secret, schemas, log: quietLog });
      await expect(failed).rejects.toBeInstanceOf(DatabaseUnreachable);
      await expect(failed).rejects.toThrow(line);
    }
  });
});

describe("migrations", () => {
  it("are applied one after the other as they are written", async () => {
    await provision(written());
    await provision(written({ tag: "0001_more", text: "alter table lease add column more int" }));
    await as(await runtimeUrl(adminUrl, "order", secret))`select more from "order".lease`;
  });

  it("are refused when one was edited after it was applied", async () => {
    const o = written({ tag: "0001_more", text: "alter table lease add column more int" });
    await provision(o);
    writeFileSync(join(folder, "0001_more.sql"), "alter table lease add column other int");
    await expect(provision(o)).rejects.toBeInstanceOf(MigrationsDiffer);
    await expect(provision(o)).rejects.toThrow("0001_more");
  });

  it("are refused when two branches were merged out of order, instead of skipping one", async () => {
    const late = { tag: "0001_late", when: 1764000002000, text: "alter table lease add column late int" };
    await provision(written(late));
    const early = { tag: "0002_early", when: 1764000001000, text: "alter table lease add column early int" };
    await expect(provision(written(late, early))).rejects.toThrow("0002_early");
  });

  it("let older code run beside newer until one says that it may not", async () => {
    const expand = { tag: "0001_expand", text: "alter table lease add column more int" };
    const contract = { tag: "0002_contract", text: "-- oldest-code: 2\nalter table lease drop column more" };
    await provision(written(expand));
    await provision(written());
    await provision({ ...written(expand, contract), contract: true });
    await provision(written(expand));
    await expect(provision(written())).rejects.toBeInstanceOf(TooOldCode);
  });

  it("are checked by a runtime role that may not make them: none, too few and too many are refused", async () => {
    const expand = { tag: "0001_expand", text: "alter table lease add column more int" };
    const contract = { tag: "0002_contract", text: "-- oldest-code: 3\nalter table lease drop column more" };
    await provision(written());
    const database = openDatabase({
      url: await runtimeUrl(adminUrl, "order", secret),
      schema: "order",
      service: "order",
    });
    pools.push({ end: () => database.close() });
    const check = async (...more: Parameters<typeof written>) => {
      const [schema] = written(...more).schemas;
      if (schema !== undefined) await requireSchema(database, schema);
    };
    await check();
    await expect(check(expand)).rejects.toThrow("migration 0001_expand is not applied");
    await provision(written(expand));
    await check();
    await check(expand, contract);
    await provision({ ...written(expand, contract), contract: true });
    await check(expand, contract);
    await expect(check(expand)).rejects.toBeInstanceOf(TooOldCode);
    const owner = as(await ownerUrl(adminUrl, "order", secret));
    await owner`delete from "order".__drizzle_migrations`;
    await expect(check(expand)).rejects.toThrow("Schema order is not migrated: run npm run migrate");
  });

  it("that drop what older code uses wait until an operator says that none runs, and then refuse it", async () => {
    const expand = { tag: "0001_expand", text: "create table unused (id int)" };
    const drop = { tag: "0002_drop", text: "-- oldest-code: 3\ndrop table unused" };
    const older = () => written(expand);
    const newer = () => written(expand, drop);
    await provision(older());
    // Both versions start beside each other, again and again, and the older one has its table.
    for (const version of [newer, older, newer, older]) await provision(version());
    const sql = as(await runtimeUrl(adminUrl, "order", secret));
    await sql`insert into "order".unused values (1)`;
    await provision({ ...newer(), contract: true });
    await expect(sql`select 1 from "order".unused`).rejects.toThrow('relation "order.unused" does not exist');
    await provision(newer());
    await expect(provision(older())).rejects.toBeInstanceOf(TooOldCode);
    await expect(provision(older())).rejects.toThrow("needs code that knows 3 migrations, this one knows 2");
  });

  it("that drop something are applied to a new schema at once: no older code runs there", async () => {
    const expand = { tag: "0001_expand", text: "create table unused (id int)" };
    const drop = { tag: "0002_drop", text: "-- oldest-code: 3\ndrop table unused" };
    await provision(written(expand, drop));
    await expect(provision(written(expand))).rejects.toBeInstanceOf(TooOldCode);
  });

  it("that follow one which waits are refused, with the command that lets it go first", async () => {
    const drop = { tag: "0001_drop", text: "-- oldest-code: 2\nalter table lease drop column holder" };
    const next = { tag: "0002_next", text: "alter table lease add column next int" };
    await provision(written());
    await expect(provision(written(drop, next))).rejects.toThrow("run npm run migrate -- --contract");
    await provision({ ...written(drop, next), contract: true });
    await provision(written(drop, next));
  });

  it("may change the search path", async () => {
    const text = 'set search_path = public;\n--> statement-breakpoint\ncreate table "order".more (id int)';
    const o = written({ tag: "0001_elsewhere", text });
    await provision(o);
    await provision(o);
    await as(await runtimeUrl(adminUrl, "order", secret))`select id from "order".more`;
  });

  it("that have to wait for what uses their tables say so, and which they are", async () => {
    await provision(written());
    const user = as(adminUrl);
    const o = written(
      { tag: "0001_timeout", text: "set local lock_timeout = 100" },
      { tag: "0002_more", text: "alter table lease add column more int" },
    );
    await user.begin(async (tx) => {
      await tx`lock table "order".lease in access share mode`;
      await expect(provision(o)).rejects.toThrow("Schema order: migration 0002_more waited for what uses its tables");
    });
    await provision(o);
  });

  it("leave nothing half done, and say which of them failed", async () => {
    const broken = {
      tag: "0001_broken",
      text: "alter table lease add column a int;\n--> statement-breakpoint\nno sql",
    };
    await expect(provision(written(broken))).rejects.toThrow(
      'Schema order: migration 0001_broken failed: syntax error at or near "no" (42601)',
    );
    const [row] = await as(
      adminUrl,
    )`select 1 from information_schema.columns where table_name = 'lease' and column_name = 'a'`;
    expect(row).toBeUndefined();
  });
});
