import { PaymentErrorReason, ProductErrorReason } from "@rialto/contracts";
import { jobLockMs } from "@rialto/events";
import { backgroundContext } from "@rialto/rpc";
import { beforeEach, describe, expect, it } from "vitest";
import { type Checkout, createCheckout } from "../src/checkout/advance.ts";
import { checkout, type Step } from "../src/checkout/steps.ts";
import { apply } from "../src/order/events.ts";
import { isAtRest, stateOf } from "../src/order/state.ts";
import { logTo, orderFrom, orderId } from "./builders.ts";
import { down, type FakeServices, fakeServices, refusal } from "./fake-services.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

const context = backgroundContext({});
const now = () => new Date(Date.UTC(2026, 0, 2));
const steps = [...checkout.entries()].map(([index, step]) => ({ name: step.name, index, step }));
const undone = steps.filter(({ step }) => step.undo !== undefined);
const quantity = 2;
const stocked = 10;

let services: FakeServices;
let store: MemoryStore;
let saga: Checkout;

beforeEach(() => {
  services = fakeServices({ available: stocked });
  store = memoryStore();
  saga = createCheckout({ orders: store, calls: services.calls, now });
});

/** The order where this step is due, with the steps before it done. */
async function bringTo(step: Step, index: number) {
  const order = orderFrom(logTo[step.at]);
  store.seed(logTo[step.at]);
  for (const earlier of checkout.slice(0, index)) await earlier.run(services.calls, order, context);
  return order;
}

const advance = () => saga.advance(orderId, { context });
const order = () => store.must(orderId);
const snapshot = () => ({
  ...services.holdings(orderId),
  available: services.available(),
  effects: [...services.effects],
});

/** The method that a step calls. */
async function methodOf({ step, index }: { step: Step; index: number }): Promise<string> {
  const scratch = fakeServices();
  const due = orderFrom(logTo[step.at]);
  for (const earlier of checkout.slice(0, index)) await earlier.run(scratch.calls, due, context);
  let called = "";
  scratch.interference.before = (method) => {
    called = method;
  };
  await step.run(scratch.calls, due, context);
  return called;
}

/** Every reason of the services behind that ends this step for good. */
function finalReasons(step: Step): string[] {
  const reasons = [...Object.keys(ProductErrorReason), ...Object.keys(PaymentErrorReason)];
  return [...new Set(reasons)].filter((reason) => step.onRefused(reason, orderFrom(logTo[step.at])) !== undefined);
}

/** Whether an order that ended without being shipped has left anything behind. */
function isClean(): boolean {
  const { reservation, payment } = services.holdings(orderId);
  const holdsNothing = reservation !== "RESERVED" && payment !== "AUTHORIZED";
  return holdsNothing && services.available() === stocked;
}

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

describe.each(steps)("step $name", ({ step, index }) => {
  it("run twice changes nothing more", async () => {
    const due = await bringTo(step, index);
    const first = await step.run(services.calls, due, context);
    const once = snapshot();
    expect(await step.run(services.calls, due, context)).toEqual(first);
    expect(snapshot()).toEqual(once);
  });

  it("that is refused for good leaves a clean world, once a person has settled what waits for one", async () => {
    const method = await methodOf({ step, index });
    const reasons = finalReasons(step);
    expect(reasons).not.toEqual([]);
    for (const reason of reasons) {
      services = fakeServices({ available: stocked });
      store = memoryStore();
      saga = createCheckout({ orders: store, calls: services.calls, now });
      await bringTo(step, index);
      services.interference.before = (called) => {
        if (called === method) throw refusal(reason);
      };
      await advance();
      expect(isAtRest(order())).toBe(true);
      if (order().attention !== undefined) await settle();
      expect(["REJECTED", "CANCELLED"]).toContain(order().status);
      expect(isClean()).toBe(true);
      expect(order().captured).toBe(order().refunded);
    }
  });

  it.each(["before", "after"] as const)(
    "that cannot go on, broken off %s its effect, goes on later as if nothing had been",
    async (when) => {
      const method = await methodOf({ step, index });
      const due = await bringTo(step, index);
      services.interference[when] = (called) => {
        if (called === method) throw down();
      };
      await expect(advance()).rejects.toThrow("down");
      expect(stateOf(order())).toBe(stateOf(due));
      services.interference = {};
      await advance();
      expect(["CONFIRMED", "SHIPPED"]).toContain(order().status);
      expect(new Set(services.effects).size).toBe(services.effects.length);
    },
  );

  it("whose worker dies before it commits is done again, and its effect is there once", async () => {
    await bringTo(step, index);
    store.beforeCommit = () => {
      throw new Error("the worker died");
    };
    await expect(advance()).rejects.toThrow("the worker died");
    store.beforeCommit = () => undefined;
    await advance();
    expect(["CONFIRMED", "SHIPPED"]).toContain(order().status);
    expect(new Set(services.effects).size).toBe(services.effects.length);
  });

  it("that fails with an unforeseen error decides nothing", async () => {
    const method = await methodOf({ step, index });
    const due = await bringTo(step, index);
    services.interference.before = (called) => {
      if (called === method) throw refusal("INTERNAL_ERROR");
    };
    await expect(advance()).rejects.toThrow("INTERNAL_ERROR");
    expect(order()).toEqual(due);
  });
});

describe.each(undone)("undo of $name", ({ step, index }) => {
  it("run twice changes nothing more", async () => {
    const due = await bringTo(step, index);
    await step.run(services.calls, due, context);
    await step.undo?.(services.calls, due, context);
    const once = snapshot();
    await step.undo?.(services.calls, due, context);
    expect(snapshot()).toEqual(once);
  });

  it("that comes before its action wins", async () => {
    const due = await bringTo(step, index);
    await step.undo?.(services.calls, due, context);
    const tombstone = snapshot();
    const error: unknown = await step.run(services.calls, due, context).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: expect.stringMatching(/RELEASED|VOIDED/) });
    expect(snapshot()).toEqual(tombstone);
  });

  it("that cannot go on is done later", async () => {
    const method = await methodOf({ step, index });
    const due = await bringTo(step, index);
    await step.run(services.calls, due, context);
    await store.decide(orderId, { kind: "requestCancel" });
    services.interference.before = (called) => {
      if (called !== method) throw down();
    };
    await expect(advance()).rejects.toThrow("down");
    expect(stateOf(order())).toBe("CANCELLING");
    services.interference = {};
    await advance();
    expect(order().status).toBe("CANCELLED");
    expect(isClean()).toBe(true);
  });

  it("that is refused for good leaves the order to a person, who can have it tried again", async () => {
    const due = await bringTo(step, index);
    await step.run(services.calls, due, context);
    await store.decide(orderId, { kind: "requestCancel" });
    services.interference.before = (called) => {
      if (called === "releaseStock") throw refusal("RESERVATION_COMMITTED");
    };
    await advance();
    expect(order().attention).toMatchObject({ reason: "COMPENSATION_FAILED", detail: "RESERVATION_COMMITTED" });
    expect(isAtRest(order())).toBe(true);
    services.interference = {};
    await store.decide(orderId, { kind: "settleByCancel" });
    await advance();
    expect(order()).toMatchObject({ status: "CANCELLED", attention: undefined });
    expect(isClean()).toBe(true);
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

/** What a person does about an order that waits: gives back what was captured, and cancels. */
async function settle(): Promise<void> {
  services.interference = {};
  const { captured, refunded } = order();
  if (refunded < captured) {
    services.refund(orderId);
    await store.decide(orderId, { kind: "recordRefund", captured, refunded: captured });
  }
  await store.decide(orderId, { kind: "settleByCancel" });
  await advance();
}
