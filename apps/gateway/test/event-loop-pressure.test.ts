import { describe, expect, it } from "vitest";
import { isShed } from "../src/admission/event-loop-pressure.ts";

describe("a late event loop", () => {
  it.each([
    // delay, requests of the client and of all, clients: refused
    [0, 5_000, 5_000, 1, false],
    [400, 5_000, 5_001, 2, false],
    [401, 5_000, 5_001, 2, true],
    [401, 1, 5_001, 2, false],
    [401, 5, 5, 1, false],
    [401, 100, 100, 1, false],
    [801, 100, 100, 1, false],
    [801, 5, 5_001, 2, false],
    [1_601, 1, 5_001, 2, true],
  ])("by %d ms, with %d requests of the client among %d of %d: %j", (delayMs, byClient, byAll, clients, shed) => {
    expect(isShed({ delayMs, byClient, byAll, clients })).toBe(shed);
  });
});
