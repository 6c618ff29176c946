import type { Sql } from "@rialto/database";
import { cachedFor, type Metrics } from "@rialto/telemetry";
import { readingMsMax, sameInAll, secondsSince } from "../event/event-metrics.ts";
import { publisherStats } from "./stats.ts";

/** Adds the gauges of a publisher's outbox: what each of its subscriptions still waits for. */
export function addPublisherGauges(metrics: Metrics, sql: Sql): void {
  const read = cachedFor(readingMsMax, async () =>
    // The age is that of the reading: the event may be delivered while the reading is shown.
    (await publisherStats(sql)).map((stats) => ({ ...stats, oldestAge: secondsSince(stats.oldestTime) })),
  );
  metrics.gauge(
    {
      name: "rialto.outbox.lag",
      unit: "{event}",
      description: "Published events that are not delivered yet, by subscription",
    },
    async () => (await read()).map(({ subscription, lag }) => ({ labels: { subscription, ...sameInAll }, value: lag })),
  );
  metrics.gauge(
    { name: "rialto.outbox.oldest.age", unit: "s", description: "Age of the oldest of them; 0 where there is none" },
    async () =>
      (await read()).map(({ subscription, oldestAge }) => ({
        labels: { subscription, ...sameInAll },
        value: oldestAge,
      })),
  );
}
