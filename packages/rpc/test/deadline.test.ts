import { createDeadlineWheel, LazySignal } from "@rialto/async";
import { reconnectDelayMsMax } from "@rialto/database";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallError, reasonOf } from "../src/index.ts";
import { answerMarginMs, callTriesMax, retryDelayMsMax, unaryTimeoutMsDefault } from "../src/limits.ts";
import { startClock } from "../src/server/deadline.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => new Date(Date.now() + ms);

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

describe("the default deadline of a call", () => {
  it("leaves time to say that Postgres is away, where a read of another service and one of its own each learn it", () => {
    // A read waits for the one in flight to be refused, and then for its own connection.
    const readMsMax = 2 * reconnectDelayMsMax;
    const calledMsMax = callTriesMax * readMsMax + (callTriesMax - 1) * retryDelayMsMax;
    expect(calledMsMax + readMsMax).toBeLessThan(unaryTimeoutMsDefault - answerMarginMs);
  });
});
