import { ExponentialBackoff, fullJitterGenerator } from "cockatiel";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "../src/index.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a backoff", () => {
  it("doubles from the shortest delay to the longest", () => {
    const delays = { delayMsMin: 25, delayMsMax: 400, jitter: "none" } as const;
    expect([1, 2, 3, 4, 5, 6, 1_000_000].map((failures) => backoffMs(failures, delays))).toEqual([
      25, 50, 100, 200, 400, 400, 400,
    ]);
  });

  it("stays within the part of its bound that its jitter leaves, whatever the number of failures", () => {
    const some = fc.tuple(
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 60_000 }),
    );
    fc.assert(
      fc.property(some, ([failures, delayMsMin, delayMsMax]) => {
        const bound = backoffMs(failures, { delayMsMin, delayMsMax, jitter: "none" });
        const half = backoffMs(failures, { delayMsMin, delayMsMax, jitter: "half" });
        const full = backoffMs(failures, { delayMsMin, delayMsMax });
        return bound <= delayMsMax && half >= Math.floor(bound / 2) && half <= bound && full >= 0 && full <= bound;
      }),
    );
  });

  it("is that of cockatiel's ExponentialBackoff, step by step", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.8);
    const factory = new ExponentialBackoff({ initialDelay: 100, maxDelay: 2_000, generator: fullJitterGenerator });
    let step = factory.next();
    for (let failures = 1; failures < 12; failures += 1) {
      expect(backoffMs(failures, { delayMsMin: 100, delayMsMax: 2_000 })).toBe(step.duration);
      step = step.next(undefined);
    }
  });
});
