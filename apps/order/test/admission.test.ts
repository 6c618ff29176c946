import { reasonOf } from "@rialto/rpc";
import { quietLogger } from "@rialto/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAdmission } from "../src/admission/admission.ts";
import type { QueueReading } from "../src/admission/shedding.ts";

const limits = { delayMsTarget: 1_000, unfinishedMax: 1_000 };
const empty: QueueReading = { waiting: 0, oldestMs: 0, started: 0, elapsedMs: 500 };
/** By the age of the oldest three of four orders are shed. */
const late: QueueReading = { waiting: 500, oldestMs: 2_000, started: 0, elapsedMs: 0 };

/** An admission whose queue, chance and time are the test's. */
function start() {
  const state = {
    queue: empty,
    unfinished: 0,
    isDown: false,
    chance: 0.5,
    readings: 0,
    counts: 0,
    shed: 0,
  };
  let next = Promise.withResolvers<void>();
  const admission = createAdmission({
    limits,
    log: quietLogger,
    shed: {
      add(count = 1) {
        state.shed += count;
      },
    },
    random: () => state.chance,
    reader: {
      async readQueue() {
        state.readings += 1;
        if (state.isDown) throw new Error("down");
        return state.queue;
      },
      async countUnfinished() {
        state.counts += 1;
        return state.unfinished;
      },
    },
    async pause(signal) {
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.race([next.promise, aborted]);
    },
  });
  onTestFinished(() => admission.close());
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    state,
    settle,
    /** Lets the next reading begin, and waits for its end. */
    async tick() {
      next.resolve();
      next = Promise.withResolvers();
      await settle();
    },
    /** What becomes of an order. */
    order(): unknown {
      try {
        admission.requireAdmitted();
        return "ADMITTED";
      } catch (error) {
        return error;
      }
    },
    admission,
  };
}

describe("admission", () => {
  it("admits the first order before it knows the queue, and reads the queue beside it", async () => {
    const { state, order, settle } = start();
    state.queue = late;
    expect(order()).toBe("ADMITTED");
    await settle();
    expect(state.readings).toBe(1);
  });

  it("sheds in proportion, and says when to come back", async () => {
    const { state, order, settle } = start();
    state.queue = late;
    order();
    await settle();
    state.chance = 0.74;
    expect(order()).toMatchObject({
      code: "unavailable",
      reason: "TEMPORARILY_UNAVAILABLE",
      metadata: { retry_after_seconds: "2" },
    });
    state.chance = 0.76;
    expect(order()).toBe("ADMITTED");
    expect(state.shed).toBe(1);
  });

  it("reads while orders wait, also where no order is asked for, and then stops", async () => {
    const { state, order, settle, tick } = start();
    state.queue = late;
    order();
    await settle();
    await tick();
    await tick();
    expect(state.readings).toBe(3);
    state.queue = empty;
    await tick();
    expect(state.readings).toBe(4);
    await tick();
    await tick();
    expect(state.readings).toBe(4);
    order();
    await settle();
    expect(state.readings).toBe(5);
  });

  it("reads once at a time, however many orders are asked for", async () => {
    const { state, order, settle } = start();
    for (let n = 0; n < 1_000; n += 1) order();
    await settle();
    expect(state).toMatchObject({ readings: 1, counts: 1 });
  });

  it("counts the unfinished orders with one reading of ten", async () => {
    const { state, order, settle, tick } = start();
    state.queue = late;
    order();
    await settle();
    for (let n = 0; n < 10; n += 1) await tick();
    expect(state).toMatchObject({ readings: 11, counts: 2 });
  });

  it("bounds the unfinished orders by number", async () => {
    const { state, order, settle, tick } = start();
    state.unfinished = 1_000;
    order();
    await settle();
    state.chance = 0.99;
    expect(reasonOf(order())).toBe("TEMPORARILY_UNAVAILABLE");
    state.unfinished = 0;
    await tick();
    await tick();
    order();
    await settle();
    expect(order()).toBe("ADMITTED");
  });

  it("lets an order through now and then while it admits nothing else, so that it sees the queue move", async () => {
    const { state, order, settle, tick } = start();
    state.queue = { ...late, waiting: 1, oldestMs: 9_000 };
    state.chance = 0.99;
    order();
    await settle();
    const admittedAt: number[] = [];
    for (let reading = 0; reading < 64; reading += 1) {
      for (let n = 0; n < 3; n += 1) if (order() === "ADMITTED") admittedAt.push(reading);
      await tick();
    }
    expect(admittedAt).toEqual([0, 1, 3, 7, 15, 31, 47, 63]);
  });

  it("begins again with its probes once it has admitted others", async () => {
    const { state, order, settle, tick } = start();
    const stopped = { ...late, waiting: 1, oldestMs: 9_000 };
    state.queue = stopped;
    state.chance = 0.99;
    order();
    await settle();
    expect(order()).toBe("ADMITTED");
    await tick();
    expect(order()).toBe("ADMITTED");
    state.queue = { ...stopped, oldestMs: 100 };
    await tick();
    state.queue = stopped;
    await tick();
    expect(order()).toBe("ADMITTED");
    expect(reasonOf(order())).toBe("TEMPORARILY_UNAVAILABLE");
    await tick();
    expect(order()).toBe("ADMITTED");
  });

  it("sheds nothing while the queue cannot be read", async () => {
    const { state, order, settle, tick } = start();
    state.queue = late;
    order();
    await settle();
    expect(reasonOf(order())).toBe("TEMPORARILY_UNAVAILABLE");
    state.isDown = true;
    await tick();
    expect(order()).toBe("ADMITTED");
  });
});
