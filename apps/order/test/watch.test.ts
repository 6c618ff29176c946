import { Order_Status } from "@rialto/contracts";
import { backgroundContext } from "@rialto/rpc";
import { createLogger } from "@rialto/telemetry";
import { recordMetrics } from "@rialto/telemetry/testing";
import { quietLogger } from "@rialto/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createResumeCounts } from "../src/checkout/checkout-metrics.ts";
import { resumeStalled } from "../src/checkout/resume-stalled.ts";
import type { Order } from "../src/order/state.ts";
import { createOrderWatch } from "../src/requests/watch.ts";
import { logTo, orderFrom } from "./builders.ts";
import { down } from "./fake-services.ts";
import { asCustomer, type Fixture, openFixture, refusalOf } from "./order-fixture.ts";

let fixture: Fixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterAll(() => fixture.close());

beforeEach(() => {
  fixture.outside.interference = {};
});

async function place() {
  const context = asCustomer(fixture.customer());
  const items = [{ productId: fixture.product(), quantity: 1 }];
  const { order } = await fixture.gateway.createOrder({ items, paymentMethod: "pm_test_approved" }, context);
  return { id: order?.id ?? "", context };
}

/** The states of an order that a stream shows until it ends. */
async function statusesOf(stream: AsyncIterable<{ order?: { status: Order_Status } | undefined }>) {
  const seen: Order_Status[] = [];
  for await (const { order } of stream) seen.push(order?.status ?? Order_Status.STATUS_UNSPECIFIED);
  return seen;
}

describe("watching an order", () => {
  it("shows it as it is and again when it changes, and ends when it is at rest", async () => {
    const { id, context } = await place();
    const watched = fixture.gateway.watchOrder({ id }, context)[Symbol.asyncIterator]();
    const first = await watched.next();
    const seen = statusesOf({ [Symbol.asyncIterator]: () => watched });
    await fixture.deliver(id);
    const statuses = [first.value?.order?.status, ...(await seen)];
    expect(statuses[0]).toBe(Order_Status.PENDING);
    expect(statuses.at(-1)).toBe(Order_Status.CONFIRMED);
    expect(statuses).toEqual([...new Set(statuses)].sort());
  });

  it("shows an order at rest once", async () => {
    const { id, context } = await place();
    await fixture.deliver(id);
    expect(await statusesOf(fixture.gateway.watchOrder({ id }, context))).toEqual([Order_Status.CONFIRMED]);
  });

  it("ends for all who watch the same order", async () => {
    const { id, context } = await place();
    const streams = Array.from({ length: 5 }, () => statusesOf(fixture.gateway.watchOrder({ id }, context)));
    await fixture.deliver(id);
    for (const statuses of await Promise.all(streams)) expect(statuses.at(-1)).toBe(Order_Status.CONFIRMED);
  });

  it("ends with the caller, though the order never moves", async () => {
    const { id, context } = await place();
    const leaving = new AbortController();
    const stream = fixture.gateway.watchOrder({ id }, { ...context, signal: leaving.signal })[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ order: { id } });
    const next = stream.next();
    leaving.abort();
    expect((await refusalOf(next)).code).toBe("canceled");
  });
});

describe("one poll for all watchers", () => {
  const moved = orderFrom(logTo.CONFIRMED);
  const pending = orderFrom(logTo.PENDING);
  const watchers = 50;

  /** Streams over the pending order, and what the poll was asked. */
  function watchWith(changed: (known: ReadonlyMap<string, number>) => Promise<Order[]>) {
    const asked: ReadonlyMap<string, number>[] = [];
    const watch = createOrderWatch({
      orders: {
        changed: async (known) => {
          asked.push(known);
          return changed(known);
        },
      },
    });
    const { signal } = new AbortController();
    const read = async () => {
      const seen: number[] = [];
      for await (const { version } of watch.changes(pending, signal)) seen.push(version);
      return seen;
    };
    return { watch, asked, read };
  }

  it("asks once for many watchers, and stops when there are none", async () => {
    const { asked, read } = watchWith(async () => [moved]);
    const seen = await Promise.all(Array.from({ length: watchers }, read));
    expect(seen).toEqual(Array.from({ length: watchers }, () => [moved.version]));
    expect(asked).toEqual([new Map([[pending.id, pending.version]])]);
  });

  it("goes on when the database is back", async () => {
    let failures = 3;
    const { read } = watchWith(async () => {
      failures -= 1;
      if (failures >= 0) throw down();
      return [moved];
    });
    expect(await read()).toEqual([moved.version]);
  });

  it("ends the streams when the process stops", async () => {
    const { watch, read } = watchWith(async () => []);
    const seen = read();
    watch.close();
    await expect(seen).rejects.toMatchObject({ reason: "TEMPORARILY_UNAVAILABLE" });
    await expect(read()).rejects.toMatchObject({ reason: "TEMPORARILY_UNAVAILABLE" });
  });
});

describe("the schedule that resumes orders", () => {
  const later = () => new Date(Date.now() + 60_000);
  const sweep = (now: () => Date) =>
    resumeStalled({ orders: fixture.store, checkout: fixture.checkout, log: quietLogger, now })(
      AbortSignal.timeout(10_000),
    );
  const statusOf = async (id: string) => (await fixture.store.read(id))?.status;

  it("resumes stalled orders, and leaves alone an order that has just changed", async () => {
    const lost = await Promise.all([place(), place(), place()]);
    await sweep(() => new Date());
    for (const { id } of lost) expect(await statusOf(id)).toBe("PENDING");
    await sweep(later);
    for (const { id } of lost) expect(await statusOf(id)).toBe("CONFIRMED");
  });

  it("does not let one that cannot go on keep the others waiting", async () => {
    const stuck = await place();
    const others = await Promise.all([place(), place()]);
    fixture.outside.interference.before = (_method, orderId) => {
      if (orderId === stuck.id) throw down();
    };
    await sweep(later);
    expect(await statusOf(stuck.id)).toBe("PENDING");
    for (const { id } of others) expect(await statusOf(id)).toBe("CONFIRMED");
  });

  it("calls a lost database an outage, and a defect a defect", async () => {
    const levels: string[] = [];
    const log = createLogger({
      service: "order",
      destination: { write: (line) => levels.push(JSON.parse(line).level) },
    });
    const failing = (error: Error) => ({ advance: () => Promise.reject(error), seal: () => Promise.reject(error) });
    const run = (error: Error) =>
      resumeStalled({ orders: fixture.store, checkout: failing(error), log, now: later })(AbortSignal.timeout(10_000));
    await place();
    const lost = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    await run(new Error("Failed query", { cause: lost }));
    expect(new Set(levels.splice(0))).toEqual(new Set(["warn"]));
    await place();
    await run(new Error("a defect"));
    expect(new Set(levels)).toEqual(new Set(["error"]));
  });

  it("counts the orders that it resumed, and those that it could not", async () => {
    const { metrics, read } = recordMetrics();
    const { store: orders, checkout } = fixture;
    const run = resumeStalled({
      ...{ orders, checkout, log: quietLogger, now: later },
      resumeCounts: createResumeCounts(metrics),
    });
    const stuck = await place();
    await place();
    fixture.outside.interference.before = (_method, orderId) => {
      if (orderId === stuck.id) throw down();
    };
    await run(AbortSignal.timeout(10_000));
    const { resumed = 0, failed = 0 } = await read("rialto.orders.resumed");
    expect({ resumed: resumed >= 1, failed: failed >= 1 }).toEqual({ resumed: true, failed: true });
  });

  it("finds more than one page of them", async () => {
    const context = asCustomer(fixture.customer());
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const request = { items, paymentMethod: "pm_test_approved" };
    await Promise.all(Array.from({ length: 230 }, () => fixture.gateway.createOrder(request, context)));
    await sweep(later);
    expect(await fixture.store.claimStalled({ untouchedSince: later(), limit: 1000 })).toEqual([]);
  });

  it("resumes orders that wait behind others that always fail, however many those are", async () => {
    const context = asCustomer(fixture.customer());
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const request = { items, paymentMethod: "pm_test_approved" };
    const stuck = new Set<string>();
    for (let n = 0; n < 120; n += 1) stuck.add((await fixture.gateway.createOrder(request, context)).order?.id ?? "");
    const behind = await place();
    const tries = new Map<string, number>();
    fixture.outside.interference.before = (_method, orderId) => {
      tries.set(orderId, (tries.get(orderId) ?? 0) + 1);
      if (stuck.has(orderId)) throw down();
    };
    await sweep(later);
    await sweep(later);
    expect(await statusOf(behind.id)).toBe("CONFIRMED");
    // None of them comes again before its pause is over, so that two runs do not ask twice what is down.
    expect([...stuck].map((id) => tries.get(id))).toEqual(Array.from(stuck, () => 1));
  });

  it("tries an order that moved on without the pause of its earlier failures", async () => {
    const { id } = await place();
    fixture.outside.interference.before = (_method, orderId) => {
      if (orderId === id) throw down();
    };
    await sweep(later);
    expect(await statusOf(id)).toBe("PENDING");
    fixture.outside.interference.before = (method, orderId) => {
      if (orderId === id && method !== "reserveStock") throw down();
    };
    await fixture.checkout.advance(id, { context: backgroundContext({}) }).catch(() => undefined);
    expect(await statusOf(id)).toBe("STOCK_RESERVED");
    fixture.outside.interference = {};
    await sweep(later);
    expect(await statusOf(id)).toBe("CONFIRMED");
  });

  it("skips orders that wait for a person", async () => {
    const { id } = await place();
    await fixture.checkout.advance(id, { context: backgroundContext({}) });
    expect(await fixture.store.claimStalled({ untouchedSince: later(), limit: 1000 })).not.toContain(id);
  });
});
