import { sql as text } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createGroupCommit, type Database, isOutage, openDatabase, runtimeUrl } from "../src/index.ts";
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
