import { PaymentErrorReason, ProductErrorReason } from "@rialto/contracts";
import { beforeEach, describe, expect, it } from "vitest";
import { type Checkout, createCheckout } from "../src/checkout/advance.ts";
import { checkout, type Step } from "../src/checkout/steps.ts";
import { isAtRest, stateOf } from "../src/order/state.ts";
import { logTo, orderFrom, orderId } from "./builders.ts";
import { checkoutWith, context, now, openCheckout, stocked } from "./checkout-fixture.ts";
import { down, type FakeServices, fakeServices, refusal } from "./fake-services.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

const steps = [...checkout.entries()].map(([index, step]) => ({ name: step.name, index, step }));
const undone = steps.filter(({ step }) => step.undo !== undefined);

let services: FakeServices;
let store: MemoryStore;
let saga: Checkout;
const { advance, isClean, order, settle, snapshot } = checkoutWith(() => ({ services, store, saga }));

beforeEach(() => {
  ({ services, store, saga } = openCheckout());
});

/** The order where this step is due, with the steps before it done. */
async function bringTo(step: Step, index: number) {
  const order = orderFrom(logTo[step.at]);
  store.seed(logTo[step.at]);
  for (const earlier of checkout.slice(0, index)) await earlier.run(services.calls, order, context);
  return order;
}

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
