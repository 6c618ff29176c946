import { describe, expect, it } from "vitest";
import { decideRetry, HandlerTimedOut } from "../src/inbox/retry-decision.ts";

const isOutage = (error: unknown) => error instanceof Error && error.message === "down";
const rules = { attemptsMax: 2, isOutage };

describe("decideRetry", () => {
  it("counts a failure of the event's own, and makes it a dead letter after its attempts", () => {
    const first = decideRetry(new TypeError("no such field"), { attempts: 0, outages: 5 }, rules);
    expect(first).toMatchObject({ state: "RETRY", attempts: 1, outages: 0, lastError: "TypeError: no such field" });
    expect(decideRetry(new Error("again"), first, rules)).toMatchObject({ state: "DEAD", attempts: 2 });
  });

  it("does not count an outage, nor a handler that timed out", () => {
    // A handler that hangs may wait longer: each try holds a place for its whole time.
    for (const [error, delayMsMax] of [
      [new Error("down"), 5_000],
      [new HandlerTimedOut(30_000), 60_000],
    ] as const) {
      const decision = decideRetry(error, { attempts: 1, outages: 1_000_000 }, rules);
      expect(decision).toMatchObject({ state: "RETRY", attempts: 1, outages: 1_000_001 });
      expect(decision.delayMs).toBeLessThanOrEqual(delayMsMax);
    }
  });

  it("keeps no more of an error than an operator reads, and nothing that Postgres refuses", () => {
    const { lastError } = decideRetry(new Error(`\0${"x".repeat(5_000)}`), { attempts: 0, outages: 0 }, rules);
    expect(lastError).toMatch(/^Error: x+$/);
    expect(lastError).toHaveLength(2_000);
  });
});
