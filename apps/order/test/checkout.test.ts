import { jobLockMs } from "@rialto/events";
import { beforeEach, describe, expect, it } from "vitest";
import { type Checkout, createCheckout } from "../src/checkout/advance.ts";
import { checkout } from "../src/checkout/steps.ts";
import { apply } from "../src/order/events.ts";
import { isAtRest, stateOf } from "../src/order/state.ts";
import { logTo, orderFrom, orderId } from "./builders.ts";
import { checkoutWith, context, now, openCheckout, quantity, stocked } from "./checkout-fixture.ts";
import { type FakeServices, fakeServices, refusal } from "./fake-services.ts";
import type { MemoryStore } from "./memory-store.ts";

let services: FakeServices;
let store: MemoryStore;
let saga: Checkout;
const { advance, isClean, order, settle, snapshot } = checkoutWith(() => ({ services, store, saga }));

beforeEach(() => {
  ({ services, store, saga } = openCheckout());
});

describe("the checkout", () => {
  it("succeeds: confirms what can be reserved and paid, and ships what was asked to be shipped", async () => {
    store.seed(logTo.PENDING);
    await advance();
    expect(order()).toMatchObject({ status: "CONFIRMED", captured: 0n, version: 3 });
    expect(snapshot()).toMatchObject({ reservation: "RESERVED", payment: "AUTHORIZED", available: stocked - quantity });
    await store.decide(orderId, { kind: "requestShip" });
    await advance();
    expect(order()).toMatchObject({ status: "SHIPPED", captured: 2500n, version: 5 });
    expect(snapshot()).toMatchObject({ reservation: "COMMITTED", payment: "CAPTURED" });
  });

  it("rejects what is not in stock, and holds nothing", async () => {
    services = fakeServices({ available: 1 });
    saga = createCheckout({ orders: store, calls: services.calls, now });
    store.seed(logTo.PENDING);
    await advance();
    expect(order()).toMatchObject({ status: "REJECTED", rejectionReason: "OUT_OF_STOCK" });
    expect(services.effects).toEqual([]);
  });

  it("gives the stock back before it says that the card was declined", async () => {
    services.card = "declined";
    store.seed(logTo.PENDING);
    store.beforeCommit = ({ event }) => {
      if (event.kind === "REJECTED") expect(services.holdings(orderId).reservation).toBe("RELEASED");
    };
    await advance();
    expect(order()).toMatchObject({ status: "REJECTED", rejectionReason: "PAYMENT_DECLINED" });
    expect(isClean()).toBe(true);
  });

  it("consumes its event in the first commit, and in each next one the event of the commit before", async () => {
    store.seed(logTo.PENDING);
    const inbox = { subscription: "checkout", eventId: "event" };
    expect(await saga.advance(orderId, { context, inbox })).toBe("INBOX_WRITTEN");
    expect(order().status).toBe("CONFIRMED");
    const [reserved] = store.published;
    expect(store.published).toHaveLength(2);
    expect(store.inbox).toEqual([inbox, { subscription: "checkout", eventId: reserved }]);
  });

  it("leaves the event of its last commit to be consumed where it ends before the next one", async () => {
    store.seed(logTo.PENDING);
    services.interference.before = async (method) => {
      if (method === "authorizePayment") throw new Error("the process died");
    };
    const inbox = { subscription: "checkout", eventId: "event" };
    await expect(saga.advance(orderId, { context, inbox })).rejects.toThrow("the process died");
    expect(order().status).toBe("STOCK_RESERVED");
    expect(store.inbox).toEqual([inbox]);
  });

  it("knows of an event that comes meanwhile whether one of its own commits has consumed it", async () => {
    store.seed(logTo.PENDING);
    let late: Promise<unknown> | undefined;
    services.interference.before = async (method) => {
      if (method !== "authorizePayment") return;
      const eventId = store.published[0] ?? "";
      late = saga.advance(orderId, { context, inbox: { subscription: "checkout", eventId }, version: 2 });
    };
    await saga.advance(orderId, { context, inbox: { subscription: "checkout", eventId: "event" } });
    expect(await late).toBe("INBOX_WRITTEN");
    expect(store.reads).toBe(1);
  });

  it("tells the relay at once of what ends its work, and of nothing that it goes on from", async () => {
    store.seed(logTo.PENDING);
    const woken: string[] = [];
    store.beforeCommit = ({ before, event, time, wakes, id }) => {
      const after = apply(before, { subjectId: id, version: (before?.version ?? 0) + 1, time, event });
      if (wakes?.(after) !== false) woken.push(event.kind);
    };
    await advance();
    expect(woken).toEqual(["CONFIRMED"]);
  });

  it("reads an order once: what its own commits made of it, it knows", async () => {
    store.seed(logTo.PENDING);
    await advance();
    expect(order().status).toBe("CONFIRMED");
    expect(store.reads).toBe(1);
  });

  it("reads it again where another writer was faster", async () => {
    store.seed(logTo.PENDING);
    services.interference.after = async (method) => {
      if (method !== "authorizePayment") return;
      services.interference = {};
      await store.decide(orderId, { kind: "requestCancel" });
    };
    await advance();
    expect(order().status).toBe("CANCELLED");
    expect(isClean()).toBe(true);
    expect(store.reads).toBe(2);
  });

  it("leaves the next step to the event of its last commit where the first one took half of the job's lock", async () => {
    let time = now();
    saga = createCheckout({ orders: store, calls: services.calls, now: () => time });
    services.interference.after = () => {
      time = new Date(time.getTime() + jobLockMs / 2);
    };
    store.seed(logTo.PENDING);
    await advance();
    expect(stateOf(order())).toBe("STOCK_RESERVED");
    await saga.advance(orderId, { context, version: order().version });
    expect(order().status).toBe("CONFIRMED");
  });

  it("does nothing to an order at rest", async () => {
    for (const log of Object.values(logTo)) {
      if (!isAtRest(orderFrom(log))) continue;
      store.seed(log);
      await advance();
      expect(store.log(orderId)).toEqual(log);
    }
    expect(services.effects).toEqual([]);
  });

  it("says so when there is no such order", async () => {
    await expect(advance()).rejects.toThrow("does not exist");
  });
});

describe("a rejection", () => {
  it.each(["out of stock", "declined"])("that was given is given for ever: %s", async (why) => {
    const short = why === "out of stock";
    services = fakeServices({ available: short ? 1 : stocked });
    if (!short) services.card = "declined";
    saga = createCheckout({ orders: store, calls: services.calls, now });
    store.seed(logTo.PENDING);
    const late = order();
    await advance();
    expect(order().status).toBe("REJECTED");
    const ended = snapshot();
    services.restock(stocked);
    services.card = "approved";
    const begun = checkout.slice(0, short ? 1 : 2);
    for (const step of begun) await expect(step.run(services.calls, late, context)).rejects.toThrow();
    expect(snapshot()).toEqual({ ...ended, available: ended.available + stocked });
  });

  it("is not committed where another worker got further", async () => {
    store.seed(logTo.PENDING);
    const other = createCheckout({ orders: store, calls: services.calls, now });
    services.interference.before = async (method) => {
      if (method !== "reserveStock") return;
      services.interference = {};
      await other.advance(orderId, { context });
      throw refusal("OUT_OF_STOCK");
    };
    await advance();
    expect(order().status).toBe("CONFIRMED");
    expect(snapshot()).toMatchObject({ reservation: "RESERVED", payment: "AUTHORIZED" });
  });
});

describe("a cancel", () => {
  const moments = ["before", "after"] as const;
  const methods = ["reserveStock", "authorizePayment"];
  const cases = moments.flatMap((moment) => methods.map((method) => ({ moment, method })));

  it.each(cases)(
    "that comes $moment the effect of $method ends CANCELLED in a clean world",
    async ({ moment, method }) => {
      store.seed(logTo.PENDING);
      services.interference[moment] = async (called) => {
        if (called !== method) return;
        services.interference = {};
        await store.decide(orderId, { kind: "requestCancel" });
      };
      await advance();
      expect(order().status).toBe("CANCELLED");
      expect(isClean()).toBe(true);
    },
  );

  it("leaves tombstones, so that a worker that was frozen meanwhile has no effect", async () => {
    store.seed(logTo.PENDING);
    const frozen = Promise.withResolvers<void>();
    const other = createCheckout({ orders: store, calls: services.calls, now });
    services.interference.before = (method) => (method === "reserveStock" ? frozen.promise : undefined);
    const late = advance();
    await store.decide(orderId, { kind: "requestCancel" });
    await other.advance(orderId, { context });
    expect(order().status).toBe("CANCELLED");
    const ended = store.log(orderId);
    frozen.resolve();
    await late;
    expect(store.log(orderId)).toEqual(ended);
    expect(isClean()).toBe(true);
  });

  it("of money that is captured waits for a person, and goes on once all is refunded", async () => {
    store.seed(logTo.SHIPPING);
    const shipping = order();
    for (const step of checkout.slice(0, 3)) await step.run(services.calls, shipping, context);
    services.interference.before = (method) => {
      if (method === "commitStock") throw refusal("RESERVATION_NOT_FOUND");
    };
    await advance();
    expect(order()).toMatchObject({ captured: 2500n, attention: { reason: "STOCK_LOST" } });
    await store.decide(orderId, { kind: "settleByCancel" });
    await advance();
    expect(order().attention).toMatchObject({ reason: "COMPENSATION_FAILED", detail: "PAYMENT_CAPTURED" });
    await settle();
    expect(order()).toMatchObject({ status: "CANCELLED", captured: 2500n, refunded: 2500n });
  });
});
