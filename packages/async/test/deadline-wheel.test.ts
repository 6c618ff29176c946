import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDeadlineWheel, deadlineTickMs } from "../src/index.ts";

describe("a deadline wheel", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("calls after the deadline, never before it", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(100, passed);
    vi.advanceTimersByTime(99);
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(20);
    expect(passed).toHaveBeenCalledOnce();
  });

  it("does not call for a deadline that was removed", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    const cancel = wheel.add(100, passed);
    cancel();
    vi.advanceTimersByTime(1_000);
    expect(passed).not.toHaveBeenCalled();
  });

  it("calls for an earlier deadline that was added later", () => {
    const wheel = createDeadlineWheel();
    const order: string[] = [];
    wheel.add(1_000, () => order.push("late"));
    wheel.add(100, () => order.push("early"));
    vi.advanceTimersByTime(200);
    expect(order).toEqual(["early"]);
    vi.advanceTimersByTime(1_000);
    expect(order).toEqual(["early", "late"]);
  });

  it("calls at most one tick late", () => {
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

  it("keeps the other deadlines when one is removed", () => {
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

  it("needs one timer for many calls ", () => {
    const wheel = createDeadlineWheel();
    for (let call = 0; call < 1_000; call += 1) wheel.add(5_000 + call, () => undefined);
    expect(vi.getTimerCount()).toBe(1);
  });

  it("calls for a deadline that is added when another passes", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(5, () => void wheel.add(5, passed));
    vi.advanceTimersByTime(100);
    expect(passed).toHaveBeenCalledOnce();
  });

  it("keeps the deadlines of others where one of them throws", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(100, () => {
      throw new RangeError("thrown by a call");
    });
    wheel.add(100, passed);
    wheel.add(300, passed);
    expect(() => vi.advanceTimersByTime(200)).toThrow("thrown by a call");
    vi.advanceTimersByTime(300);
    expect(passed).toHaveBeenCalledTimes(2);
  });

  it("keeps no timer when every deadline has passed", () => {
    const wheel = createDeadlineWheel();
    for (let ms = 100; ms < 200; ms += 1) wheel.add(ms, () => undefined);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("calls for all that is left where it is ended, and at once for what comes after that", () => {
    const wheel = createDeadlineWheel();
    const called: [string, boolean][] = [];
    const add = (name: string, ms: number) => wheel.add(ms, (isEnded) => called.push([name, isEnded]));
    add("passed", 100);
    add("removed", 10_000)();
    add("left", 10_000);
    vi.advanceTimersByTime(120);
    wheel.end();
    add("late", 10_000);
    expect(called).toEqual([
      ["passed", false],
      ["left", true],
      ["late", true],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for a deadline further away than a timer of Node can be", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(2 ** 32, passed);
    vi.advanceTimersByTime(2 ** 31);
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2 ** 31 + 100);
    expect(passed).toHaveBeenCalledOnce();
  });
});
