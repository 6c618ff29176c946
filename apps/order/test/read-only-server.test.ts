import { openDatabase } from "@rialto/database";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrderQueries } from "../src/order/queries.ts";
import { order } from "../src/service.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: order.schemas });
});
afterAll(() => db.close());

const noOrder = "01900000-0000-7000-8000-000000000000";

describe("on a server that takes no writes any more", () => {
  it("an order is read, but nothing is decided by it, and the connections are made anew", async () => {
    const role = decodeURIComponent(new URL(db.urlOf("order")).username);
    await db.sql`alter role ${db.sql(role)} set default_transaction_read_only = on`;
    const database = openDatabase({ url: db.urlOf("order"), schema: "order", service: "order" });
    const orders = createOrderQueries(database);
    expect(await orders.read(noOrder)).toBeUndefined();
    await expect(orders.readToDecide(noOrder)).rejects.toMatchObject({ name: "ReadOnlyServer", code: "25006" });
    // The writable server, as a new connection finds it under the same name.
    await db.sql`alter role ${db.sql(role)} reset default_transaction_read_only`;
    await expect
      .poll(() => orders.readToDecide(noOrder).catch((error: Error) => error.name), { timeout: 20_000 })
      .toBeUndefined();
    await database.close();
  });
});
