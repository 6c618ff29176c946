import { beforeEach, describe, expect, it } from "vitest";
import { type Checkout, createCheckout } from "../src/checkout/advance.ts";
import { checkout } from "../src/checkout/steps.ts";
import { logTo, orderId } from "./builders.ts";
import { checkoutWith, context, now, openCheckout } from "./checkout-fixture.ts";
import { down, type FakeServices, refusal } from "./fake-services.ts";
import type { MemoryStore } from "./memory-store.ts";

let services: FakeServices;
let store: MemoryStore;
let saga: Checkout;
const { advance, isClean, order } = checkoutWith(() => ({ services, store, saga }));

beforeEach(() => {
  ({ services, store, saga } = openCheckout());
});

describe("two workers", () => {
  it("of one process take turns: the events of an order's own steps do nothing twice", async () => {
    store.seed(logTo.PENDING);
    const calls: string[] = [];
    services.interference.before = (method) => void calls.push(method);
    await Promise.all([advance(), advance(), advance()]);
    expect(order().status).toBe("CONFIRMED");
    expect(calls).toEqual(["reserveStock", "authorizePayment"]);
  });

  it("of one process: the event of a step waits until the order is at rest, and reads nothing", async () => {
    store.seed(logTo.PENDING);
    const late: Promise<unknown>[] = [];
    services.interference.before = (method) => {
      if (method === "authorizePayment") late.push(saga.advance(orderId, { context, version: order().version }));
    };
    await advance();
    expect(late).toHaveLength(1);
    await Promise.all(late);
    expect(order().status).toBe("CONFIRMED");
    expect(store.reads).toBe(1);
  });

  it("of one process: the event of a step goes on itself where the worker failed", async () => {
    store.seed(logTo.PENDING);
    const late: Promise<unknown>[] = [];
    services.interference.before = (method) => {
      if (method !== "authorizePayment") return;
      services.interference = {};
      late.push(saga.advance(orderId, { context, version: order().version }));
      throw down();
    };
    await expect(advance()).rejects.toThrow("down");
    await Promise.all(late);
    expect(order().status).toBe("CONFIRMED");
  });

  it("of one process: an event that is newer than what the worker saw goes on itself", async () => {
    store.seed(logTo.PENDING);
    const late: Promise<unknown>[] = [];
    store.afterCommit = async ({ event }) => {
      if (event.kind !== "CONFIRMED") return;
      await store.decide(orderId, { kind: "requestCancel" });
      late.push(saga.advance(orderId, { context, version: order().version }));
    };
    await advance();
    await Promise.all(late);
    expect(late).toHaveLength(1);
    expect(order().status).toBe("CANCELLED");
    expect(isClean()).toBe(true);
  });

  it("of two processes may both run an order: one commit wins, the other decides again", async () => {
    store.seed(logTo.PENDING);
    const other = createCheckout({ orders: store, calls: services.calls, now });
    await Promise.all([advance(), other.advance(orderId, { context })]);
    expect(order()).toMatchObject({ status: "CONFIRMED", version: 3 });
    expect(services.effects).toEqual(["reserveStock", "authorizePayment"]);
  });

  it("where one was overtaken, an unforeseen refusal is no failure: it decides again", async () => {
    store.seed(logTo.SHIPPING);
    const shipping = order();
    for (const step of checkout.slice(0, 2)) await step.run(services.calls, shipping, context);
    const other = createCheckout({ orders: store, calls: services.calls, now });
    services.interference.before = async (method) => {
      if (method !== "capturePayment") return;
      services.interference = {};
      await other.advance(orderId, { context });
      throw refusal("REFUND_REFUSED");
    };
    await advance();
    expect(order().status).toBe("SHIPPED");
  });

  it("get the same result of one attempt to capture: where it was refused to one, the other captures nothing", async () => {
    store.seed(logTo.SHIPPING);
    const shipping = order();
    for (const step of checkout.slice(0, 2)) await step.run(services.calls, shipping, context);
    services.refusesCaptures = 1;
    const frozen = Promise.withResolvers<void>();
    const other = createCheckout({ orders: store, calls: services.calls, now });
    services.interference.before = (method) => (method === "capturePayment" ? frozen.promise : undefined);
    const late = advance();
    services.interference = {};
    await other.advance(orderId, { context });
    expect(order().attention).toMatchObject({ reason: "CAPTURE_REFUSED" });
    frozen.resolve();
    await late;
    expect(services.holdings(orderId).payment).toBe("AUTHORIZED");
    await store.decide(orderId, { kind: "requestShip" });
    await advance();
    expect(order()).toMatchObject({ status: "SHIPPED", captured: 2500n });
  });

  it("where the first one failed, the second still does its own", async () => {
    store.seed(logTo.PENDING);
    services.interference.before = () => {
      services.interference = {};
      throw down();
    };
    const [first, second] = await Promise.allSettled([advance(), advance()]);
    expect([first?.status, second?.status]).toEqual(["rejected", "fulfilled"]);
    expect(order().status).toBe("CONFIRMED");
  });
});
