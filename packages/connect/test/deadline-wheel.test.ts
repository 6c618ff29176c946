import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDeadlineWheel } from "../src/deadline/deadline-wheel.ts";

describe("a deadline wheel", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("calls after the deadline, never before it", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(performance.now() + 100, passed);
    vi.advanceTimersByTime(99);
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(20);
    expect(passed).toHaveBeenCalledOnce();
  });

  it("does not call for a deadline that was taken out", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    const cancel = wheel.add(performance.now() + 100, passed);
    cancel();
    vi.advanceTimersByTime(1_000);
    expect(passed).not.toHaveBeenCalled();
  });

  it("calls for an earlier deadline that was added later", () => {
    const wheel = createDeadlineWheel();
    const order: string[] = [];
    wheel.add(performance.now() + 1_000, () => order.push("late"));
    wheel.add(performance.now() + 100, () => order.push("early"));
    vi.advanceTimersByTime(200);
    expect(order).toEqual(["early"]);
    vi.advanceTimersByTime(1_000);
    expect(order).toEqual(["early", "late"]);
  });

  it("needs one timer for many calls of the same timeout", () => {
    const wheel = createDeadlineWheel();
    for (let call = 0; call < 1_000; call += 1) wheel.add(performance.now() + 5_000, () => undefined);
    expect(vi.getTimerCount()).toBe(1);
  });

  it("calls for a deadline that is added when another passes", () => {
    const wheel = createDeadlineWheel(10);
    const passed = vi.fn();
    wheel.add(performance.now() + 5, () => void wheel.add(performance.now() + 5, passed));
    vi.advanceTimersByTime(100);
    expect(passed).toHaveBeenCalledOnce();
  });

  it("keeps no timer when every deadline has passed", () => {
    const wheel = createDeadlineWheel();
    for (let ms = 100; ms < 200; ms += 1) wheel.add(performance.now() + ms, () => undefined);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for a deadline further away than a timer of Node can be", () => {
    const wheel = createDeadlineWheel();
    const passed = vi.fn();
    wheel.add(performance.now() + 2 ** 32, passed);
    vi.advanceTimersByTime(2 ** 31);
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2 ** 31 + 100);
    expect(passed).toHaveBeenCalledOnce();
  });
});
