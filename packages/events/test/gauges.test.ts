import type { Sql } from "@rialto/database";
import { createMetricRegistry } from "@rialto/telemetry";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addPublisherGauges, addSubscriberGauges } from "../src/index.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** A database that answers every statement with these rows. */
function answering(rows: () => readonly object[]): Sql {
  // Only its answers matter here.
  return (() => Promise.resolve(rows())) as unknown as Sql;
}

async function shownBy(registry: ReturnType<typeof createMetricRegistry>, name: string): Promise<number | undefined> {
  const [read] = registry.gauges.get(name)?.reads ?? [];
  return (await read?.())?.[0]?.value;
}

describe("the age of the oldest event", () => {
  const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1_000);

  it.each([
    {
      where: "in an outbox",
      name: "rialto.outbox.oldest.age",
      add: (registry: ReturnType<typeof createMetricRegistry>, oldestTime: () => Date | null) =>
        addPublisherGauges(
          registry.of("order"),
          answering(() => [{ subscription: "checkout", topics: [], lag: 1, oldestTime: oldestTime() }]),
        ),
    },
    {
      where: "in an inbox",
      name: "rialto.inbox.oldest.age",
      add: (registry: ReturnType<typeof createMetricRegistry>, oldestTime: () => Date | null) =>
        addSubscriberGauges(registry.of("order"), {
          sql: answering(() => [
            { subscription: "checkout", waiting: 1, dead: 0, paused: false, oldestTime: oldestTime() },
          ]),
          jobs: { depth: async () => 0 },
          subscriptions: ["checkout"],
        }),
    },
  ])("$where is that of the reading: it does not grow while the reading is shown", async ({ name, add }) => {
    let oldest: Date | null = secondsAgo(2);
    const registry = createMetricRegistry();
    add(registry, () => oldest);
    expect(await shownBy(registry, name)).toBe(2);
    oldest = null;
    vi.advanceTimersByTime(10_000);
    expect(await shownBy(registry, name)).toBe(2);
    vi.advanceTimersByTime(10_000);
    expect(await shownBy(registry, name)).toBe(0);
  });
});
