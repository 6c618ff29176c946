import { LazySignal } from "@rialto/async";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallError, reasonOf } from "../src/index.ts";
import { deadlineTickMs } from "../src/limits.ts";
import { startClock } from "../src/server/deadline.ts";
import { createDeadlineWheel } from "../src/server/deadline-wheel.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => new Date(Date.now() + ms);

describe("the deadlines of an endpoint", () => {
  it("pass never early, and at most one tick late", () => {
    const wheel = createDeadlineWheel();
    const started = performance.now();
    const lateness = new Map<number, number>();
    for (const ms of [50, 1, 5_000, 51, 600_000, 58])
      wheel.add(ms, () => lateness.set(ms, performance.now() - started - ms));
    vi.advanceTimersByTime(600_020);
    expect(lateness.size).toBe(6);
    for (const late of lateness.values()) {
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThanOrEqual(deadlineTickMs + 1);
    }
  });

  it("share one timer, however many calls there are", () => {
    const wheel = createDeadlineWheel();
    for (let call = 0; call < 1_000; call += 1) wheel.add(5_000 + call, () => undefined);
    expect(vi.getTimerCount()).toBe(1);
  });

  it("are forgotten when the call ends, and the next ones are kept", () => {
    const wheel = createDeadlineWheel();
    const passed: string[] = [];
    wheel.add(100, () => passed.push("removed"))();
    wheel.add(200, () => passed.push("kept"));
    vi.advanceTimersByTime(150);
    wheel.add(20, () => passed.push("next"));
    vi.advanceTimersByTime(100);
    expect(passed).toEqual(["next", "kept"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a call's clock", () => {
  it("ends the call at its deadline, and not after it was stopped", async () => {
    const wheel = createDeadlineWheel();
    const [over, stopped] = [0, 1].map(() => startClock(wheel, new LazySignal(), later(1_000)));
    stopped?.stop();
    vi.advanceTimersByTime(1_020);
    expect(reasonOf(over?.canceled.reason)).toBe("DEADLINE_PASSED");
    expect(stopped?.canceled.aborted).toBe(false);
  });

  it("is over at once where the deadline has passed, or the caller has left", () => {
    const wheel = createDeadlineWheel();
    expect(reasonOf(startClock(wheel, new LazySignal(), later(-1)).signal.reason)).toBe("DEADLINE_PASSED");
    const left = startClock(wheel, AbortSignal.abort(new Error("gone")), later(1_000));
    expect(left.canceled.reason).toMatchObject({ code: "canceled" });
    expect(left.signal.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends with its caller's error where that is one of a call", () => {
    const caller = new LazySignal();
    const clock = startClock(createDeadlineWheel(), caller, later(1_000));
    const reason = new CallError({ code: "unavailable", reason: "TEMPORARILY_UNAVAILABLE", message: "m" });
    caller.abort(reason);
    expect(clock.canceled.reason).toBe(reason);
    clock.stop();
  });
});
