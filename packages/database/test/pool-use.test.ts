import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase, runtimeUrl } from "../src/index.ts";
import { openThings, secret, type Things } from "./support/things.ts";

let things: Things;
let database: Database;

beforeAll(async () => {
  things = await openThings();
  const url = await runtimeUrl(things.adminUrl, "thing", secret);
  database = openDatabase({ url, schema: "thing", service: "thing", connectionsMax: 2, counted: true, traced: true });
});
afterAll(async () => {
  await database.close();
  await things.close();
});

const inFlight = (of = database) => of.pools().find(({ name }) => name === "thing")?.inFlight;

/** Work that is in the middle of something until it is let go on. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const pass = async () => {
    reach();
    await promise;
  };
  return { reached, open: resolve, pass };
}

describe("the use of a pool", () => {
  it("counts statements until they are answered, also those that wait for a connection", async () => {
    const held = await things.admin.reserve();
    await held`select pg_advisory_lock(7)`;
    const statements = [1, 2, 3].map(() => database.sql`select pg_advisory_xact_lock_shared(7)`.execute());
    await expect.poll(() => inFlight()).toBe(3);
    await held`select pg_advisory_unlock(7)`;
    held.release();
    await Promise.all(statements);
    expect(inFlight()).toBe(0);
  });

  it("counts a transaction as one, whatever it does, until it has ended", async () => {
    const { reached, pass, open } = gate();
    const transaction = database.sql.begin(async (tx) => {
      await tx`select 1`;
      await pass();
      await tx`select 2`;
    });
    await reached;
    expect(inFlight()).toBe(1);
    open();
    await transaction;
    expect(inFlight()).toBe(0);
  });

  it("counts nothing any more that failed, in a transaction or outside", async () => {
    await expect(database.sql`select 1 / 0`).rejects.toThrow("division by zero");
    await expect(database.sql.begin((tx) => tx`select 1 / 0`)).rejects.toThrow("division by zero");
    await expect(database.orm.execute("select 1 / 0")).rejects.toThrow();
    const cancelled = database.sql`select pg_sleep(60)`.execute();
    await expect.poll(() => inFlight()).toBe(1);
    cancelled.cancel();
    await expect(cancelled).rejects.toThrow();
    expect(inFlight()).toBe(0);
  });

  it("is told of each pool by name, with the connections that it may open", async () => {
    await database.writers`select 1`;
    database.pool({ purpose: "search", connectionsMax: 3, statementMsMax: 100 });
    expect(database.pools()).toEqual([
      { name: "thing", connectionsMax: 2, inFlight: 0 },
      { name: "thing writers", connectionsMax: 2, inFlight: 0 },
      { name: "thing search", connectionsMax: 3, inFlight: 0 },
    ]);
  });

  it("is not counted where nobody asks for it", async () => {
    const { reached, pass, open } = gate();
    const transaction = things.database.sql.begin(pass);
    await reached;
    expect(inFlight(things.database)).toBe(0);
    open();
    await transaction;
  });
});
