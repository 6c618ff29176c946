import { describe, expect, it } from "vitest";
import { abortSignalOf, LazySignal, onAbort, raceSignal } from "../src/index.ts";

describe("a lazy signal", () => {
  it("tells its listeners once, with the first reason", () => {
    const canceled = new LazySignal();
    let told = 0;
    canceled.onAbort(() => {
      told += 1;
    });
    canceled.abort(new RangeError("over"));
    canceled.abort(new TypeError("again"));
    expect(told).toBe(1);
    expect([canceled.aborted, canceled.reason]).toEqual([true, new RangeError("over")]);
  });

  it("tells a listener that comes late at once, and never one that was removed", () => {
    const canceled = new LazySignal();
    const told: string[] = [];
    canceled.onAbort(() => told.push("removed"))();
    canceled.abort(undefined);
    canceled.onAbort(() => told.push("late"));
    expect(told).toEqual(["late"]);
  });

  it("is an AbortSignal where one is needed, and always the same one", () => {
    const canceled = new LazySignal();
    const { signal } = canceled;
    expect(abortSignalOf(canceled)).toBe(signal);
    expect(signal.aborted).toBe(false);
    canceled.abort(new RangeError("over"));
    expect([signal.aborted, signal.reason]).toEqual([true, new RangeError("over")]);
  });

  it("makes an AbortSignal that is born aborted where it is needed late", () => {
    const canceled = new LazySignal();
    canceled.abort(new RangeError("over"));
    expect([canceled.signal.aborted, canceled.signal.reason]).toEqual([true, new RangeError("over")]);
  });
});

describe.each([
  ["an AbortSignal", () => new AbortController()],
  ["a lazy signal", () => new LazySignal()],
])("a listener of %s", (_name, create) => {
  const signalOf = (made: AbortController | LazySignal) => (made instanceof LazySignal ? made : made.signal);

  it("is told of the abort, or at once where that has been, and not after it was removed", () => {
    const canceling = create();
    const told: string[] = [];
    onAbort(signalOf(canceling), () => told.push("first"));
    onAbort(signalOf(canceling), () => told.push("removed"))();
    canceling.abort(new RangeError("over"));
    onAbort(signalOf(canceling), () => told.push("late"));
    expect(told).toEqual(["first", "late"]);
  });

  it("is not called where another one removes it meanwhile", () => {
    const canceling = create();
    const told: string[] = [];
    let removeSecond = () => {};
    onAbort(signalOf(canceling), () => {
      told.push("first");
      removeSecond();
    });
    removeSecond = onAbort(signalOf(canceling), () => told.push("second"));
    canceling.abort(new RangeError("over"));
    expect(told).toEqual(["first"]);
  });

  it("ends a race with the reason", async () => {
    const canceling = create();
    const raced = raceSignal(new Promise<never>(() => undefined), signalOf(canceling));
    canceling.abort(new RangeError("over"));
    await expect(raced).rejects.toThrow(RangeError);
  });
});
