import { createLogger } from "@rialto/telemetry";
import { describe, expect, it } from "vitest";
import { decideRetry, HandlerTimedOut, recordFailure } from "../src/inbox/retry-decision.ts";

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

describe("recordFailure", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";

  it.each([
    { what: "is recorded", flags: "01", spanId: "b7ad6b7169203331" },
    { what: "is not recorded", flags: "00", spanId: undefined },
  ])("logs a dead letter in the span that sent it, where its trace $what", ({ flags, spanId }) => {
    const lines: string[] = [];
    const log = createLogger({ service: "order", destination: { write: (line) => void lines.push(line) } });
    const envelope = {
      ...{ id: "e-1", topic: "order.placed", subject: "o-1", time: new Date(0), payload: {}, json: {}, version: 1 },
      traceparent: `00-${traceId}-b7ad6b7169203331-${flags}`,
    };
    const subscription = { name: "checkout", attemptsMax: 1 };
    recordFailure({ subscription, log, isOutage }, envelope, new Error("broken"));
    const { msg, traceId: logged, spanId: inSpan, orderId } = JSON.parse(lines[0] ?? "");
    expect({ msg, logged, inSpan, orderId }).toEqual({
      msg: "event failed too often and is a dead letter",
      logged: traceId,
      inSpan: spanId,
      orderId: "o-1",
    });
  });
});
