import type { Sql } from "@rialto/database";
import { cachedFor, type Metrics } from "@rialto/telemetry";
import { readingMsMax, sameInAll, secondsSince } from "../event/event-metrics.ts";
import { publisherStats } from "./stats.ts";

/** Adds the gauges of a publisher's outbox: what each of its subscriptions still waits for. */
export function addPublisherGauges(metrics: Metrics, sql: Sql): void {
  const read = cachedFor(readingMsMax, () => publisherStats(sql));
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
      (await read()).map(({ subscription, oldestTime }) => ({
        labels: { subscription, ...sameInAll },
        value: secondsSince(oldestTime),
      })),
  );
}
