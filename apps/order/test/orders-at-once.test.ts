import { openDatabase } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrderStore } from "../src/order/store.ts";
import { order as service } from "../src/service.ts";
import { logTo, orderFrom } from "./builders.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
});
afterAll(() => db.close());

async function openStore() {
  const database = openDatabase({ url: db.urlOf("order"), schema: "order", service: "order", connectionsMax: 1 });
  const store = createOrderStore({ database, onCommitted: () => undefined });
  const placed = orderFrom(logTo.PENDING);
  const place = async () => {
    const id = uuidv7();
    const [first] = logTo.PENDING;
    if (first === undefined) throw new Error("an order has a first event");
    await store.commit({ ...{ id, before: undefined, event: first.event, time: placed.createTime }, ...by });
    return id;
  };
  return {
    store,
    place,
    statements: () => executionsOf(database.sql, "transaction_read_only"),
    async close() {
      await store.close();
      await database.close();
    },
  };
}

const by = { actor: "test", reason: "", traceparent: "" };

describe("orders that are read to decide at the same moment", () => {
  it("are read by one statement, each for who asked", async () => {
    const { store, place, statements, close } = await openStore();
    const ids = await Promise.all(Array.from({ length: 12 }, place));
    const before = await statements();
    const found = await Promise.all([...ids, uuidv7(), ids[3] ?? ""].map((id) => store.readToDecide(id)));
    expect(found.map((order) => order?.id)).toEqual([...ids, undefined, ids[3]]);
    expect((await statements()) - before).toBe(1);
    await close();
  });
});
