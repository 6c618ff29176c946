import { recordMetrics } from "@rialto/telemetry/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addQueueGauges } from "../src/admission/admission-metrics.ts";
import { createQueueReader } from "../src/admission/queue-reader.ts";
import { addOrderGauges } from "../src/order/gauges.ts";
import { refusal } from "./fake-services.ts";
import { asAdmin, asCustomer, type Fixture, newKey, openFixture } from "./order-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

async function placed(): Promise<string> {
  const items = [{ productId: fixture.product(), quantity: 1 }];
  const request = { items, paymentMethod: "pm_test_approved" };
  const { order } = await fixture.gateway.createOrder(request, asCustomer(fixture.customer()), newKey());
  return order?.id ?? "";
}

/** What the gauges of a replica that has just started say. */
function gauges() {
  const { metrics, read } = recordMetrics();
  addOrderGauges(metrics, fixture.database);
  addQueueGauges(metrics, createQueueReader(fixture.database));
  return read;
}

const attention = (counts: Readonly<Record<string, number>> = {}) => ({
  "CAPTURE_REFUSED same": 0,
  "AUTHORIZATION_EXPIRED same": 0,
  "STOCK_LOST same": 0,
  "COMPENSATION_FAILED same": 0,
  ...counts,
});

describe("the gauges of orders", () => {
  it("have every state and reason at 0 where there are no orders, so that an alert ends", async () => {
    const read = gauges();
    expect(await read("rialto.orders.unfinished")).toEqual({
      "PENDING same": 0,
      "STOCK_RESERVED same": 0,
      "SHIPPING same": 0,
      "CANCELLING same": 0,
    });
    expect(await read("rialto.attention")).toEqual(attention());
    expect(await read("rialto.orders.waiting")).toEqual({ same: 0 });
    expect(await read("rialto.orders.waiting.oldest.age")).toEqual({ same: 0 });
  });

  it("count orders that wait, that are on their way and that wait for a person, and none that is at rest", async () => {
    const shipping = await placed();
    const refused = await placed();
    for (const id of [shipping, refused]) {
      await fixture.deliver(id);
      await fixture.gateway.shipOrder({ id }, asAdmin(), newKey());
    }
    fixture.outside.interference = {
      before(method) {
        if (method === "capturePayment") throw refusal("CAPTURE_REFUSED");
      },
    };
    await fixture.deliver(refused);
    fixture.outside.interference = {};
    const waiting = [await placed(), await placed()];
    await fixture.database.sql`
      update orders set next_attempt_time = now() - interval '1 minute' where id = ${waiting[0] ?? ""}`;
    const read = gauges();
    expect(await read("rialto.orders.unfinished")).toEqual({
      "PENDING same": 2,
      "STOCK_RESERVED same": 0,
      "SHIPPING same": 1,
      "CANCELLING same": 0,
    });
    expect(await read("rialto.attention")).toEqual(attention({ "CAPTURE_REFUSED same": 1 }));
    expect(await read("rialto.orders.waiting")).toEqual({ same: 2 });
    const { same: ageSeconds = 0 } = await read("rialto.orders.waiting.oldest.age");
    expect(Math.floor(ageSeconds / 60)).toBe(1);
  });
});
