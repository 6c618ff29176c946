import { describe, expect, it } from "vitest";
import { recordSpans } from "../src/testing.ts";
import { createPreciseClock } from "../src/tracing/precise-clock.ts";

describe("the clock of spans", () => {
  it("has fractions of a millisecond, and follows the machine's where that is set", () => {
    const machine = { at: 5.25, set: 1_000, wall: () => Math.floor(machine.set + machine.at) };
    const clock = createPreciseClock({ origin: 1_000, wall: machine.wall, running: () => machine.at });
    expect(clock()).toBe(1_005.25);
    machine.set = 91_000;
    expect(clock()).toBe(91_005);
    machine.at = 6.5;
    expect(clock()).toBe(91_006.25);
  });

  it("does not change where the process is interrupted while it is read", () => {
    const machine = { at: 5, lostMs: 30 };
    const wall = () => {
      machine.at += machine.lostMs;
      machine.lostMs = 0;
      return 1_000 + Math.floor(machine.at);
    };
    const clock = createPreciseClock({ origin: 1_000, wall, running: () => machine.at });
    expect([clock(), clock()]).toEqual([1_035, 1_035]);
  });

  it("orders spans of one millisecond by their start, each within the one that it is part of", () => {
    const { tracing, spans } = recordSpans();
    for (let n = 0; n < 200; n += 1) {
      const root = tracing.begin("root", { traceparent: undefined });
      root?.child("first").end();
      root?.child("second").end();
      root?.end();
    }
    const starts = spans().map(({ startMs, endMs }) => ({ startMs, endMs }));
    for (let at = 0; at < starts.length; at += 3) {
      const [first, second, root] = starts.slice(at, at + 3);
      if (first === undefined || second === undefined || root === undefined) throw new Error("three spans each");
      const times = [root.startMs, first.startMs, first.endMs, second.startMs, second.endMs, root.endMs];
      expect(times.toSorted((one, other) => one - other)).toEqual(times);
      expect(root.endMs).toBeGreaterThan(root.startMs);
    }
  });
});
