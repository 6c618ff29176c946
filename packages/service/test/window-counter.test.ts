import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createWindowCounter } from "../src/process/window-counter.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});
const passMs = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe("a window of requests", () => {
  it("allows as many as it has, says how many are left and when it ends, and counts refused ones too", () => {
    const counter = createWindowCounter({ requests: 2, windowMs: 1_000 });
    expect(counter.count("a")).toEqual({ isAllowed: true, limit: 2, remaining: 1, resetMs: 1_000 });
    passMs(400);
    expect(counter.count("a")).toEqual({ isAllowed: true, limit: 2, remaining: 0, resetMs: 600 });
    expect(counter.count("a")).toEqual({ isAllowed: false, limit: 2, remaining: 0, resetMs: 600 });
    counter.giveBack("a");
    expect(counter.count("a").isAllowed).toBe(false);
    expect(counter.count("b").isAllowed).toBe(true);
  });

  it("begins with the first request after the last one ended", () => {
    const counter = createWindowCounter({ requests: 1, windowMs: 1_000 });
    counter.count("a");
    passMs(999);
    expect(counter.count("a").isAllowed).toBe(false);
    passMs(1);
    expect(counter.count("a")).toMatchObject({ isAllowed: true, resetMs: 1_000 });
  });

  it("gets a request back that should not have counted, and none that it never had", () => {
    const counter = createWindowCounter({ requests: 1, windowMs: 1_000 });
    counter.giveBack("a");
    expect(counter.count("a").isAllowed).toBe(true);
    counter.giveBack("a");
    expect(counter.count("a").isAllowed).toBe(true);
    expect(counter.count("a").isAllowed).toBe(false);
    passMs(1_000);
    counter.giveBack("a");
    expect([counter.count("a").isAllowed, counter.count("a").isAllowed]).toEqual([true, false]);
  });

  it("ends where its key is forgotten", () => {
    const counter = createWindowCounter({ requests: 1, windowMs: 1_000 });
    counter.count("a");
    counter.forget("a");
    expect(counter.count("a").isAllowed).toBe(true);
  });

  it("ends early where more keys are counted than may be: the one that began first", () => {
    const counter = createWindowCounter({ requests: 1, windowMs: 1_000, keysMax: 2 });
    for (const key of ["a", "b", "c"]) counter.count(key);
    expect(["b", "c"].map((key) => counter.count(key).isAllowed)).toEqual([false, false]);
    expect(counter.count("a").isAllowed).toBe(true);
  });
});
