import { describe, expect, it } from "vitest";
import type { Probe } from "../measure/proc.ts";
import { sustain, sustainedText } from "../measure/sustained.ts";
import type { OrderCounts, Shop } from "../subjects/shop.ts";

const pace = { rampSeconds: 0.01, windowSeconds: 0.01, windows: 2 };

/** A shop whose rows are counted as given, one after the other; the last counts stay. */
function shopOf(counts: readonly OrderCounts[]): Shop {
  let at = 0;
  return {
    ...{ url: "", pids: [], productIds: [], tokens: async () => [], stop: async () => undefined },
    async orders() {
      const count = counts[Math.min(at, counts.length - 1)];
      at += 1;
      return count ?? { confirmed: 0, pending: 0 };
    },
  };
}

const load = (failures: number) => ({
  closed: async (seconds: number) => ({ operations: 1, failures, seconds, p50Ms: 1, p99Ms: 1 }),
});

describe("a minute of orders", () => {
  const counts = [
    { confirmed: 0, pending: 0 },
    // After the ramp, and after each window.
    { confirmed: 100, pending: 50 },
    { confirmed: 190, pending: 60 },
    { confirmed: 310, pending: 40 },
    { confirmed: 350, pending: 0 },
  ];

  it("counts by rows what was accepted and confirmed in each window, without the ramp", async () => {
    const run = await sustain({ load: load(0), counted: [] }, shopOf(counts), pace);
    expect(run.windows.map(({ accepted, confirmed }) => [accepted, confirmed])).toEqual([
      [100, 90],
      [100, 120],
    ]);
    expect(run.confirmedPerSecond).toBeGreaterThan(0);
  });

  it("divides the CPU after the ramp by the orders that were confirmed after it", async () => {
    let ticks = 0;
    const probe: Probe = {
      machine: () => ({ total: 0, steal: 0 }),
      residentBytesOf: () => ticks * 1_000_000,
      ticksOf() {
        ticks += 21;
        return ticks;
      },
    };
    const run = await sustain({ load: load(0), counted: [] }, shopOf(counts), pace, probe);
    // 42 ticks of 10 ms for 210 orders.
    expect(run.cpuMicroseconds).toBe(2_000);
    expect(sustainedText("a shop", [run])).toContain("2000 µs each, 42 MB resident");
  });

  it("names the share that was confirmed, and what failed", async () => {
    const run = await sustain({ load: load(3), counted: [] }, shopOf(counts), pace);
    expect(sustainedText("a shop", [run])).toMatch(
      /^a shop: \d+ confirmed\/s, .* confirmed\/accepted in a window 0.90 to 1.20, 3 failed$/,
    );
  });
});
