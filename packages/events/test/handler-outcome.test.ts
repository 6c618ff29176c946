import { describe, expect, it } from "vitest";
import { afterFailure, HandlerTimedOut } from "../src/inbox/handler-outcome.ts";

const isOutage = (error: unknown) => error instanceof Error && error.message === "down";
const rules = { attemptsMax: 2, isOutage };

describe("afterFailure", () => {
  it("counts a failure of the event's own, and gives it up after its attempts", () => {
    const first = afterFailure(new TypeError("no such field"), { attempts: 0, outages: 5 }, rules);
    expect(first).toMatchObject({ state: "RETRY", attempts: 1, outages: 0, lastError: "TypeError: no such field" });
    expect(afterFailure(new Error("again"), first, rules)).toMatchObject({ state: "DEAD", attempts: 2 });
  });

  it("does not count what is down, nor a handler that had its time", () => {
    // A handler that hangs may wait longer: each try holds a place for its whole time.
    for (const [error, delayMsMax] of [
      [new Error("down"), 5_000],
      [new HandlerTimedOut(30_000), 60_000],
    ] as const) {
      const setback = afterFailure(error, { attempts: 1, outages: 1_000_000 }, rules);
      expect(setback).toMatchObject({ state: "RETRY", attempts: 1, outages: 1_000_001 });
      expect(setback.delayMs).toBeLessThanOrEqual(delayMsMax);
    }
  });

  it("keeps no more of an error than an operator reads, and nothing that Postgres refuses", () => {
    const { lastError } = afterFailure(new Error(`\0${"x".repeat(5_000)}`), { attempts: 0, outages: 0 }, rules);
    expect(lastError).toMatch(/^Error: x+$/);
    expect(lastError).toHaveLength(2_000);
  });
});
