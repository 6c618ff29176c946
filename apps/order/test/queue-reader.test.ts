import { randomUUID } from "node:crypto";
import { reasonOf } from "@rialto/rpc";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createQueueReader, type QueueReader } from "../src/admission/queue-reader.ts";
import { down } from "./fake-services.ts";
import { asCustomer, type Fixture, openFixture } from "./order-fixture.ts";

let fixture: Fixture;
let reader: QueueReader;

beforeAll(async () => {
  fixture = await openFixture();
});
beforeEach(async () => {
  await fixture.superuser`truncate "order".orders, "order".inbox_pending`;
  fixture.outside.interference = {};
  reader = createQueueReader(fixture.database);
});
afterAll(() => fixture.close());

/** Places orders one after the other, so that their ids ascend. Returns the ids. */
async function placed(count: number): Promise<readonly string[]> {
  const context = asCustomer(fixture.customer());
  const items = [{ productId: fixture.product(), quantity: 1 }];
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { order } = await fixture.gateway.createOrder({ items, paymentMethod: "pm_test_approved" }, context);
    ids.push(order?.id ?? "");
  }
  return ids;
}

const at = (ids: readonly string[], n: number) => ids[n] ?? "";

/** Makes the event of an order pending, as a subscription does whose handler has failed. */
async function failed(orderId: string): Promise<void> {
  await fixture.database.sql`
    insert into inbox_pending (subscription, event_id, state, topic, subject, version, envelope, outages, next_time)
    values ('checkout', ${randomUUID()}, 'RETRY', 'order.placed', ${orderId}, 1, '{}', 1, now() + interval '1 hour')`;
}

describe("the queue of the checkout", () => {
  it("is empty where there are no orders", async () => {
    expect(await reader.readQueue()).toEqual({ waiting: 0, oldestMs: 0, started: 0, elapsedMs: 0 });
  });

  it("has the orders that were placed and not attempted, with the age of the oldest", async () => {
    const ids = await placed(3);
    await fixture.database.sql`
      update orders set next_attempt_time = now() - interval '1 minute' where id = ${at(ids, 0)}`;
    await fixture.database.sql`
      update orders set next_attempt_time = now() - interval '1 hour' where id = ${at(ids, 1)}`;
    const { waiting, oldestMs } = await reader.readQueue();
    expect(waiting).toBe(3);
    expect(Math.floor(oldestMs / 60_000)).toBe(1);
  });

  it("counts what has left it between two readings", async () => {
    const ids = await placed(5);
    await reader.readQueue();
    for (const id of ids.slice(0, 3)) await fixture.deliver(id);
    const { waiting, started, elapsedMs } = await reader.readQueue();
    expect({ waiting, started, hasElapsed: elapsedMs > 0 }).toEqual({ waiting: 2, started: 3, hasElapsed: true });
    expect(await reader.readQueue()).toMatchObject({ waiting: 2, started: 0 });
  });

  it("does not have an order that younger ones have passed: its event is lost, or waits for a person", async () => {
    const ids = await placed(3);
    await fixture.deliver(at(ids, 1));
    expect(await reader.readQueue()).toMatchObject({ waiting: 1 });
    await fixture.deliver(at(ids, 2));
    expect(await reader.readQueue()).toMatchObject({ waiting: 0, oldestMs: 0 });
  });

  it("does not have orders that wait for the card network", async () => {
    fixture.outside.interference = {
      before(method) {
        if (method === "authorizePayment") throw down();
      },
    };
    for (const id of await placed(3)) expect(await fixture.deliver(id).catch(reasonOf)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(await reader.readQueue()).toMatchObject({ waiting: 0, oldestMs: 0 });
    expect(await reader.countUnfinished(100)).toBe(3);
  });

  it("does not have orders whose first step has failed, by an outage or a defect", async () => {
    const ids = await placed(3);
    await failed(at(ids, 0));
    expect(await reader.readQueue()).toMatchObject({ waiting: 2 });
    await failed(at(ids, 2));
    expect(await reader.readQueue()).toMatchObject({ waiting: 0, oldestMs: 0 });
  });
});

describe("the unfinished orders", () => {
  it("are those that have steps left, counted up to the bound", async () => {
    const ids = await placed(5);
    expect(await reader.countUnfinished(100)).toBe(5);
    expect(await reader.countUnfinished(3)).toBe(3);
    for (const id of ids) await fixture.deliver(id);
    expect(await reader.countUnfinished(100)).toBe(0);
  });
});
