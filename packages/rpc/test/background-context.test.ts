import { LazySignal } from "@rialto/async";
import { describe, expect, it } from "vitest";
import { backgroundContext, cancelSignalOf } from "../src/index.ts";

describe("the context of background work", () => {
  it("is canceled with the signal of the work, of either kind", () => {
    const eager = new AbortController();
    const lazy = new LazySignal();
    for (const [signal, abort] of [
      [eager.signal, () => eager.abort("over")],
      [lazy, () => lazy.abort("over")],
    ] as const) {
      const context = backgroundContext({ signal });
      expect([context.signal.aborted, cancelSignalOf(context).aborted]).toEqual([false, false]);
      abort();
      expect([context.signal.reason, cancelSignalOf(context).reason]).toEqual(["over", "over"]);
    }
  });

  it("has the lazy signal that it was given, so that calls in this process make no AbortSignal", () => {
    const signal = new LazySignal();
    expect(cancelSignalOf(backgroundContext({ signal }))).toBe(signal);
  });

  it("with another signal in its place holds to that one", () => {
    const { signal } = new AbortController();
    const context = { ...backgroundContext({ signal: new LazySignal() }), signal };
    expect(cancelSignalOf(context)).toBe(signal);
  });

  it("with a timeout ends by that or by the signal of the work", () => {
    const work = new LazySignal();
    const { signal, deadline } = backgroundContext({ signal: work, timeoutMs: 60_000 });
    expect(deadline).toBeInstanceOf(Date);
    work.abort("over");
    expect(signal.reason).toBe("over");
  });
});
