import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bigint, date, eq, integer, jsonb, pgSchema, sql as text, timestamp } from "../src/drizzle.ts";
import { createGroupCommit, type Database, isOutage, openDatabase, ownerUrl, runtimeUrl } from "../src/index.ts";
import { type CuttingProxy, createCuttingProxy } from "./support/cutting-proxy.ts";
import { decision, rowColumns } from "./support/decisions.ts";
import { openThings, secret, type Things } from "./support/things.ts";

let things: Things;
let proxy: CuttingProxy;
let database: Database;

beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());
beforeEach(async () => {
  proxy = await createCuttingProxy(await runtimeUrl(things.adminUrl, "thing", secret));
  database = openDatabase({ url: proxy.url, schema: "thing", service: "thing", connectionsMax: 1, answerMsMax: 500 });
});
afterEach(async () => {
  await database.close();
  await proxy.close();
});

describe("a service's database whose machine goes without a word while another one takes over", () => {
  it.each<[string, (database: Database) => Promise<unknown>]>([
    ["plain SQL", ({ sql }) => sql`select 1`],
    ["Drizzle's queries", ({ orm }) => orm.execute(text`select 1`)],
    ["group commits", ({ writers }) => writers.begin((tx) => tx`select 1`)],
  ])("fails what was on its way by %s, and goes on", async (_name, ask) => {
    await ask(database);
    proxy.silence();
    expect(await ask(database).catch(isOutage)).toBe(true);
    await ask(database);
  });

  it("commits over a new connection what the silent one did not answer", async () => {
    const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };
    const store = createGroupCommit({ database, ...tables, writers: 1 });
    await store.commit(decision());
    proxy.silence();
    expect(await store.commit(decision())).toEqual({ kind: "COMMITTED", version: 1 });
    await store.close();
  });

  it("waits for longer than any statement may take, unless it is told a shorter time", async () => {
    const patient = openDatabase({ url: proxy.url, schema: "thing", service: "thing" });
    for (const { options } of [patient.sql, patient.writers]) {
      expect(options).toMatchObject({ answer_timeout: 12, connection: { statement_timeout: 10_000 } });
    }
    await patient.close();
  });
});

describe("a service's main pool", () => {
  const values = pgSchema("thing").table("value", {
    n: integer().primaryKey(),
    amount: bigint({ mode: "bigint" }).notNull(),
    time: timestamp({ withTimezone: true }).notNull(),
    day: date({ mode: "string" }).notNull(),
    json: jsonb().notNull(),
  });
  const time = new Date("2026-11-26T18:00:00.123Z");
  const amount = 9_007_199_254_740_993n;
  const documents = [{ a: ["x", 1, null], b: { c: 'a "text"' } }, "a text", [1, 2], 7, true];

  beforeAll(async () => {
    const migrator = openDatabase({
      url: await ownerUrl(things.adminUrl, "thing", secret),
      schema: "thing",
      service: "test",
    });
    await migrator.sql`create table value (n int primary key, amount int8 not null, time timestamptz not null, day date not null, json jsonb not null)`;
    await migrator.sql`grant all on value to public`;
    await migrator.close();
  });
  afterEach(async () => {
    await database.orm.delete(values);
  });

  it("has one set of parsers: what Drizzle writes, named SQL reads, and the other way round", async () => {
    const { sql, orm } = database;
    for (const [n, json] of documents.entries()) {
      await orm.insert(values).values({ n, amount, time, day: "2026-11-26", json });
      await sql`insert into value values (${100 + n}, ${amount}, ${time}, ${"2026-11-26"}, ${sql.json(json)})`;
    }
    for (const [n, json] of documents.entries()) {
      for (const id of [n, 100 + n]) {
        expect(await orm.select().from(values).where(eq(values.n, id))).toEqual([
          { n: id, amount, time, day: "2026-11-26", json },
        ]);
        expect(await sql`select * from value where n = ${id}`).toEqual([
          { n: id, amount, time, day: new Date("2026-11-26"), json },
        ]);
      }
    }
  });

  it("finds a time that the other has written", async () => {
    const { sql, orm } = database;
    await orm.insert(values).values({ n: 2, amount, time, day: "2026-11-26", json: {} });
    expect(await orm.select({ n: values.n }).from(values).where(eq(values.time, time))).toEqual([{ n: 2 }]);
    expect(await sql`select n from value where time = ${time}`).toEqual([{ n: 2 }]);
  });

  it("takes Drizzle's transactions and savepoints", async () => {
    const { sql, orm } = database;
    await orm.transaction(async (tx) => {
      await tx.insert(values).values({ n: 1, amount, time, day: "2026-11-26", json: {} });
      const inner = tx.transaction(async (nested) => {
        await nested.insert(values).values({ n: 2, amount, time, day: "2026-11-26", json: {} });
        throw new Error("undo");
      });
      await expect(inner).rejects.toThrow("undo");
    });
    expect(await sql`select n from value`).toEqual([{ n: 1 }]);
  });

  it("is all that a service opens which commits nothing by groups", async () => {
    await database.orm.execute(text`select 1`);
    expect(database.connectionsMax).toBe(1);
    await database.writers`select 1`;
    expect(database.connectionsMax).toBe(3);
  });
});
