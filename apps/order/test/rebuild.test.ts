import { isOutage } from "@rialto/database";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rebuildOrders } from "../src/rebuild.ts";
import { asAdmin, asCustomer, type Fixture, newKey, openFixture } from "./order-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
beforeEach(async () => {
  await fixture.superuser`delete from "order".orders`;
  await fixture.superuser`delete from "order".order_event`;
});
afterAll(() => fixture.close());

/** Places orders, whose events are not handed over; their ids, ascending. */
async function place(count: number): Promise<string[]> {
  const items = [{ productId: fixture.product(), quantity: 2 }];
  const customer = asCustomer(fixture.customer());
  const request = { items, paymentMethod: "pm_test_approved" };
  const placed = Array.from({ length: count }, () => fixture.gateway.createOrder(request, customer, newKey()));
  return (await Promise.all(placed)).map(({ order }) => order?.id ?? "").sort();
}

describe("rebuildOrders", () => {
  it("finds nothing to say of orders that are as their logs tell, over many pages", async () => {
    const ids = await place(120);
    for (const id of ids.slice(0, 5)) await fixture.deliver(id);
    expect(await rebuildOrders(fixture.database, { repair: true })).toEqual({ orders: 120, differences: [] });
  });

  it("names what differs, and without repair leaves it", async () => {
    const [first = "", second = ""] = await place(3);
    await fixture.database.sql`update orders set status = 'CONFIRMED', payment_method = 'another' where id = ${first}`;
    await fixture.database.sql`update orders set version = 7 where id = ${second}`;
    const expected = {
      orders: 3,
      differences: [
        { id: first, fields: ["paymentMethod", "status"], repaired: false },
        { id: second, fields: ["version"], repaired: false },
      ],
    };
    const sorted = async () => {
      const found = await rebuildOrders(fixture.database);
      return { ...found, differences: found.differences.map((one) => ({ ...one, fields: [...one.fields].sort() })) };
    };
    expect(await sorted()).toEqual(expected);
    expect(await sorted()).toEqual(expected);
  });

  it("with repair writes the row as the log has it, also one that was lost", async () => {
    const [first = "", second = "", third = ""] = await place(3);
    await fixture.deliver(first);
    const before = await Promise.all([first, second, third].map((id) => fixture.store.read(id)));
    await fixture.database.sql`
      update orders set status = 'CANCELLED', total = 1, captured = 1, items = '[]', version = 1 where id = ${first}`;
    await fixture.superuser`delete from "order".orders where id = ${second}`;
    const { differences } = await rebuildOrders(fixture.database, { repair: true });
    expect(differences.map(({ id, repaired }) => ({ id, repaired }))).toEqual([
      { id: first, repaired: true },
      { id: second, repaired: true },
    ]);
    expect(await Promise.all([first, second, third].map((id) => fixture.store.read(id)))).toEqual(before);
    expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
    await fixture.gateway.shipOrder({ id: first }, asAdmin());
    await fixture.deliver(first);
    expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
  });

  it("reports a log that does not fold, and writes nothing for it", async () => {
    const [id = ""] = await place(1);
    await fixture.deliver(id);
    await fixture.superuser`delete from "order".order_event where subject_id = ${id} and version = 2`;
    const before = await fixture.store.read(id);
    expect(await rebuildOrders(fixture.database, { repair: true })).toEqual({
      orders: 1,
      differences: [{ id, fields: ["log"], repaired: false }],
    });
    expect(await fixture.store.read(id)).toEqual(before);
  });

  /** As a relay does: what waited too long for the lock of a rebuild is delivered again. */
  async function deliverUntilDone(id: string): Promise<void> {
    for (;;) {
      try {
        return await fixture.deliver(id);
      } catch (error) {
        if (!isOutage(error)) throw error;
      }
    }
  }

  it("puts rows right while they are written to, and loses no commit", async () => {
    const ids = await place(60);
    await fixture.database.sql`update orders set payment_method = 'wrong'`;
    let running = true;
    const writing = Promise.all(ids.map(deliverUntilDone)).finally(() => {
      running = false;
    });
    do await rebuildOrders(fixture.database, { repair: true });
    while (running);
    await writing;
    // A decision that was made on a wrong row before its repair may have brought it back: the next run finds it.
    await rebuildOrders(fixture.database, { repair: true });
    expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
    const all = await Promise.all(ids.map((id) => fixture.store.read(id)));
    expect(all.map((order) => [order?.status, order?.version, order?.paymentMethod])).toEqual(
      ids.map(() => ["CONFIRMED", 3, "pm_test_approved"]),
    );
  });
});
