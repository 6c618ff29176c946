import { describe, expect, it } from "vitest";
import { restartRolling } from "./rolling/rolling-restart.ts";

describe("a rolling restart of all processes", () => {
  it("fails no call of clients that leave when they are told, and loses and doubles no order", async () => {
    const result = await restartRolling({
      drainSeconds: 1,
      customers: 4,
      pauseMs: 100,
      seconds: 0,
      report: () => undefined,
    });
    const { failed, exits, accepted } = result;
    expect(failed).toEqual([]);
    expect(exits.map(({ name, code }) => `${name} ${code}`)).toEqual([
      ...["user", "product", "order", "payment", "notification", "user", "product", "order", "payment"].map(
        (name) => `${name} 0`,
      ),
      ...["notification", "gateway", "gateway"].map((name) => `${name} 0`),
    ]);
    expect(accepted).toBeGreaterThan(50);
    expect(result).toMatchObject({
      stored: accepted,
      confirmed: accepted,
      authorizations: accepted,
      authorizedOrders: accepted,
      reserved: accepted,
    });
  }, 1_800_000);
});
