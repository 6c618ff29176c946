import { openDatabase } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createOrderStore } from "../src/order/store.ts";
import { order as service } from "../src/service.ts";
import { logTo } from "./builders.ts";

let db: TestDatabase;
let store: ReturnType<typeof openStore>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
});
beforeEach(() => {
  store = openStore();
});
afterEach(() => store.close());
afterAll(() => db.close());

/** The store of a process with one connection for its reads, so that they can be counted. */
function openStore() {
  const database = openDatabase({ url: db.urlOf("order"), schema: "order", service: "order", connectionsMax: 1 });
  const orders = createOrderStore({ database, onCommitted: () => undefined });
  return {
    ...orders,
    async place() {
      const id = uuidv7();
      for (const { event, time } of logTo.PENDING)
        await orders.commit({ id, before: undefined, event, time, actor: "test", reason: "", traceparent: "" });
      return id;
    },
    statements: () => executionsOf(database.sql, 'from "order"."orders"'),
    decisions: () => executionsOf(database.sql, "transaction_read_only"),
    async close() {
      await orders.close();
      await database.close();
    },
  };
}

describe("orders that are read at the same moment", () => {
  it.each([
    { to: "show", read: (id: string) => store.read(id), statements: () => store.statements() },
    { to: "decide", read: (id: string) => store.readToDecide(id), statements: () => store.decisions() },
  ])("are read by one statement to $to, each for who asked", async ({ read, statements }) => {
    const ids = await Promise.all(Array.from({ length: 12 }, store.place));
    const before = await statements();
    const found = await Promise.all([...ids, uuidv7(), ids[3] ?? ""].map(read));
    expect(found.map((order) => order?.id)).toEqual([...ids, undefined, ids[3]]);
    expect((await statements()) - before).toBe(1);
  });

  it("do not fail with the one whose id is none", async () => {
    const id = await store.place();
    for (const read of [store.read, store.readToDecide]) {
      const [found, refused] = await Promise.allSettled([read(id), read("no id")]);
      expect(found).toMatchObject({ value: { id } });
      expect(refused).toMatchObject({ reason: { cause: { code: "22P02" } } });
    }
  });

  it("are not those of an earlier moment: a change between two reads is seen by the second", async () => {
    const id = await store.place();
    const first = store.read(id);
    await new Promise((resolve) => setImmediate(resolve));
    await db.sql`update "order".orders set status = 'CONFIRMED' where id = ${id}`;
    expect((await store.read(id))?.status).toBe("CONFIRMED");
    await first;
  });
});
