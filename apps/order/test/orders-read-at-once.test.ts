import { openDatabase } from "@rialto/database";
import { executionsOf } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrderQueries } from "../src/order/queries.ts";
import { asCustomer, type Fixture, openFixture } from "./order-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

async function place(): Promise<string> {
  const items = [{ productId: fixture.product(), quantity: 1 }];
  const request = { items, paymentMethod: "pm_test_approved" };
  const { order } = await fixture.gateway.createOrder(request, asCustomer(fixture.customer()));
  return order?.id ?? "";
}

describe("orders that are read at the same moment", () => {
  it("are read by one statement, each for who asked", async () => {
    const database = openDatabase({ url: fixture.url, schema: "order", service: "order", connectionsMax: 1 });
    const orders = createOrderQueries(database);
    const ids = await Promise.all(Array.from({ length: 12 }, place));
    const statements = () => executionsOf(database.sql, 'from "order"."orders"');
    const before = await statements();
    const found = await Promise.all([...ids, uuidv7(), ids[3] ?? ""].map((id) => orders.read(id)));
    expect(found.map((order) => order?.id)).toEqual([...ids, undefined, ids[3]]);
    expect((await statements()) - before).toBe(1);
    await database.close();
  });

  it("are not those of an earlier moment: a change between two reads is seen by the second", async () => {
    const id = await place();
    const first = fixture.store.read(id);
    await new Promise((resolve) => setImmediate(resolve));
    await fixture.superuser`update "order".orders set status = 'CONFIRMED' where id = ${id}`;
    expect((await fixture.store.read(id))?.status).toBe("CONFIRMED");
    await first;
  });
});
