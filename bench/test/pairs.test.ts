import { describe, expect, it } from "vitest";
import { cpuPerOperation, measurePairs, type Round, repeatsMax, type Side } from "../measure/pairs.ts";

const quiet: Round = { operations: 100, failures: 0, seconds: 1, cpuSeconds: 1, steal: 0 };

/** A round whose steal is the next of a list; nothing is stolen after its end. */
function roundsWith(steals: readonly number[]) {
  const order: Side[] = [];
  const left = [...steals];
  return {
    order,
    round: async (side: Side) => {
      order.push(side);
      return { ...quiet, steal: left.shift() ?? 0 };
    },
  };
}

describe("pairs", () => {
  it("are rounds of ours and of the baseline in turn, each pair beginning with the other", async () => {
    const { order, round } = roundsWith([]);
    const { kept, thrownAway } = await measurePairs({ pairs: 3, round });
    expect(order).toEqual(["ours", "baseline", "baseline", "ours", "ours", "baseline"]);
    expect([kept.length, thrownAway.length]).toEqual([3, 0]);
  });

  it("are thrown away whole where one round lost more than 5 %, and measured again", async () => {
    const { order, round } = roundsWith([0, 0.06]);
    const told: number[] = [];
    const pairs = await measurePairs({
      pairs: 1,
      round,
      onThrownAway: ({ baseline }) => void told.push(baseline.steal),
    });
    expect(order).toHaveLength(4);
    expect(pairs.kept).toEqual([{ ours: quiet, baseline: quiet, isMarked: false }]);
    expect(pairs.thrownAway).toHaveLength(1);
    expect(told).toEqual([0.06]);
  });

  it("are kept where exactly 5 % was stolen", async () => {
    const { kept, thrownAway } = await measurePairs({ pairs: 1, ...roundsWith([0.05, 0.05]) });
    expect(kept[0]?.isMarked).toBe(false);
    expect(thrownAway).toEqual([]);
  });

  it("are kept and marked after three repetitions", async () => {
    const { order, round } = roundsWith(Array.from({ length: 100 }, () => 0.5));
    const { kept, thrownAway } = await measurePairs({ pairs: 1, round });
    expect(order).toHaveLength(2 * (1 + repeatsMax));
    expect(kept.map(({ isMarked }) => isMarked)).toEqual([true]);
    expect(thrownAway).toHaveLength(repeatsMax);
  });
});

describe("CPU per operation", () => {
  it("is in microseconds, of what was answered", () => {
    expect(cpuPerOperation({ ...quiet, operations: 1_000, failures: 9_000, cpuSeconds: 0.05 })).toBe(50);
  });

  it("is nothing that a side without an answer has", () => {
    expect(() => cpuPerOperation({ ...quiet, operations: 0, failures: 7 })).toThrow("7 failures");
  });
});
