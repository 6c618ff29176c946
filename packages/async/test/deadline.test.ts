import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { limitTime, raceSignal, sleep, withTimeout } from "../src/index.ts";

const never = new Promise<never>(() => undefined);

describe("a sleep", () => {
  it("ends when its signal aborts, without an error", async () => {
    const waking = new AbortController();
    const slept = sleep(3_600_000, { signal: waking.signal });
    waking.abort(new Error("awake"));
    expect(await slept).toBeUndefined();
    expect(await sleep(3_600_000, { signal: waking.signal })).toBeUndefined();
  });
});

describe("work with a timeout", () => {
  it("ends as the work does where that is in time", async () => {
    expect(await withTimeout(Promise.resolve("done"), 3_600_000, "late")).toBe("done");
    await expect(withTimeout(Promise.reject(new Error("broken")), 3_600_000, "late")).rejects.toThrow("broken");
  });

  it("ends with what stands for late where it is not, and a failure after that is ignored", async () => {
    const failing = Promise.withResolvers<string>();
    expect(await withTimeout(failing.promise, 1, "late")).toBe("late");
    failing.reject(new Error("too late to matter"));
    await sleep(1);
  });
});

describe("work that is raced against a signal", () => {
  it("ends as the work does where the signal stays quiet", async () => {
    const { signal } = new AbortController();
    expect(await raceSignal(Promise.resolve("done"), signal)).toBe("done");
    await expect(raceSignal(Promise.reject(new Error("broken")), signal)).rejects.toThrow("broken");
  });

  it("ends with the signal's reason where the signal aborts first, or has aborted before", async () => {
    const aborting = new AbortController();
    const raced = raceSignal(never, aborting.signal);
    aborting.abort(new RangeError("over"));
    await expect(raced).rejects.toThrow(RangeError);
    await expect(raceSignal(Promise.resolve("done"), aborting.signal)).rejects.toThrow(RangeError);
  });

  it("ignores the work's failure after the abort", async () => {
    const aborting = new AbortController();
    const failing = Promise.withResolvers<string>();
    const raced = raceSignal(failing.promise, aborting.signal);
    aborting.abort(new RangeError("over"));
    await expect(raced).rejects.toThrow(RangeError);
    failing.reject(new Error("too late to matter"));
    await sleep(1);
  });
});

describe("a time limit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("aborts its signal when the time is over", () => {
    const { signal } = limitTime(15_000);
    vi.advanceTimersByTime(14_999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("aborts with the reason of the outer signal where that aborts first, or has aborted before", () => {
    const outer = new AbortController();
    const { signal } = limitTime(15_000, outer.signal);
    outer.abort(new RangeError("over"));
    expect(signal.reason).toBeInstanceOf(RangeError);
    expect(limitTime(15_000, outer.signal).signal.reason).toBeInstanceOf(RangeError);
  });

  it("leaves no timer where its work has ended, and watches the outer signal no longer", () => {
    const outer = new AbortController();
    const limit = limitTime(15_000, outer.signal);
    limit.end();
    expect(vi.getTimerCount()).toBe(0);
    outer.abort();
    expect(limit.signal.aborted).toBe(false);
  });
});
