import { testDatabase } from "@rialto/testing";
import { describe, expect, it } from "vitest";
import { order } from "../src/service.ts";

describe("the order service", () => {
  it("is what its table of contents says", async () => {
    const db = await testDatabase({ schemas: order.schemas });
    const database = db.database("order");
    // Opening uses these alone of an app.
    const config = { read: () => ({ requireConfirmedEmail: false }) };
    const app = {
      config,
      database,
      calls: { stock: {} },
      now: () => new Date(),
      wakeRelay: () => undefined,
    } as unknown;
    const service = await order.open(app as Parameters<typeof order.open>[0]);
    expect(service.routes.map((route) => route.service.typeName)).toEqual(["rialto.order.v1.OrderService"]);
    expect(service.subscriptions.map(({ name, topics }) => ({ name, topics }))).toEqual([
      {
        name: "checkout",
        topics: ["order.placed", "order.stock_reserved", "order.cancel_requested", "order.ship_requested"],
      },
      { name: "order-refunds", topics: ["payment.refunded"] },
    ]);
    expect(service.schedules).toMatchObject([{ name: "resume-stalled-checkouts", intervalMs: 10_000 }]);
    await service.stop();
    await db.close();
  });
});
